/** Errors about the processes of nodes: starting and ending them. Part of the catalogue; see error-catalogue.ts. */

/** By code. */
export const PROCESS_ERRORS = {
  node_not_started: {
    kind: 'unavailable',
    message: 'The node {node} on {machine} did not start: {problem}. Its log ends with: {log}',
    hint: 'Mend what the log names; it is tried again by itself.',
  },
  node_not_ended: {
    kind: 'unavailable',
    message: 'The process {pid} of the node {node} on {machine} has not ended {seconds} s after it was killed.',
    hint: 'The kernel holds it, as a rule for a disk that does not answer: look at `dmesg`. It is tried again.',
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
