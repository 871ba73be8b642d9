/** Errors about why a node does not start: who it is, what it holds, and who may have its place. Part of the catalogue; see error-catalogue.ts. */

/** By code. */
export const DATA_ERRORS = {
  node_identity_lost: {
    kind: 'conflict',
    message:
      'The node {node} is not started as itself: {path} does not say who it is, and neither does the copy of it.',
    hint: 'As a replica of a running primary it is started all the same. Without one: put a copy of that file back.',
  },
  seed_not_taken: {
    kind: 'conflict',
    message: 'The data with which {node} is to begin on {machine} is not there: {reason}.',
    hint: 'It is sent again by itself.',
  },
  append_log_unusable: {
    kind: 'conflict',
    message: 'The append-only log of {node} on {machine} cannot be read: {reason}.',
    hint: 'It is tried again by itself. See `valkeeper db show`: the database must keep such a log.',
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
  lease_run_out: {
    kind: 'unavailable',
    message: 'The node {node} does not start on {machine}: no majority of the other machines is heard of there.',
    hint: 'Another machine may have taken its place meanwhile. It starts when a majority of the machines with agents can reach each other.',
  },
  node_ended_again: {
    kind: 'conflict',
    message: 'The node {node} is not started on {machine}: it has run and ended since that was decided.',
    hint: 'It is decided anew from what is the case now.',
  },
} as const;
