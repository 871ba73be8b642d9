/** Errors about the files of nodes: who a node is, and what it holds. Part of the catalogue in error-catalogue.ts. */
export const DATA_ERRORS = {
  node_identity_lost: {
    kind: 'conflict',
    message:
      'The node {node} is not started as itself: {path} does not say who it is, and neither does the copy of it.',
    hint: 'As a replica of a running primary it is started all the same. Without one: put a copy of that file back.',
  },
  node_data_damaged: {
    kind: 'conflict',
    message: 'The node {node} on {machine} cannot be started from {file}: {problem}.',
    hint: 'Where a primary of its shard runs, the node copies everything from there. What else can be done: docs/damaged-files.md.',
  },
  nothing_to_mend: {
    kind: 'conflict',
    message: 'Nothing is known to be damaged in the files of the node {node} on {machine} that this would mend.',
    hint: 'Look at the conditions of its database again: `valkeeper db show NAME`.',
  },
  node_runs: {
    kind: 'conflict',
    message: 'The node {node} on {machine} runs (process {pid}): its files are left alone.',
    hint: 'Files are mended only while no process uses them.',
  },
} as const;
