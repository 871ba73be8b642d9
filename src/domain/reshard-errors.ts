/** What is refused about the number of shards and the way to another. Part of the catalogue; see error-catalogue.ts. */

/** By code. */
export const RESHARD_ERRORS = {
  reshard_running: {
    kind: 'conflict',
    message: 'The slots of {name} are on their way to {shards} shards: one such change at a time.',
    hint: 'Wait for its end (`valkeeper db reshard show {name}`), or give it up with `valkeeper db reshard cancel {name}`.',
  },
  reshard_refused: {
    kind: 'refused',
    message: 'The slots of {name} stay as they are: {reason}.',
    hint: 'Nothing was changed. See `valkeeper db show {name}`.',
  },
  no_reshard: {
    kind: 'conflict',
    message: 'No slots of {name} are on their way.',
    hint: 'Begin with `valkeeper db update {name} --shards N`.',
  },
  data_does_not_fit: {
    kind: 'refused',
    message:
      'The data of {name} does not fit into {shards}: the largest would hold {largest}, and of its {limit} data may fill {room}.',
    hint: 'Nothing was changed. Ask for more memory in the same command, with --memory, or for more shards.',
  },
  no_load: {
    kind: 'conflict',
    message: 'There is no load of {name} to spread: in {seconds} s its commands took {percent} % of one processor.',
    hint: 'Ask again while it is used, or spread its memory: `valkeeper db rebalance {name} --by memory`.',
  },
  no_room_for_copies: {
    kind: 'refused',
    message: '{missing} of {nodes} further nodes of {name} have no place; each reserves {needed}.',
    hint: 'Nothing was changed. {advice}, or ask for fewer shards or replicas.',
  },
} as const;
