/** What is refused about machines and about who is primary, and what a person may override. Part of the catalogue; see error-catalogue.ts. */

/** By code. */
export const FLEET_ERRORS = {
  machine_in_use: {
    kind: 'refused',
    message: '{name} has {nodes} nodes: it is not removed before they have moved away.',
    hint: 'Empty it with `valkeeper machine drain {name}`; what a lost machine had is rebuilt elsewhere by itself.',
  },
  drain_refused: {
    kind: 'refused',
    message: '{name} cannot be emptied: {obstacles}',
    hint: 'Nothing was changed. Make room, then try again.',
  },
  switchover_refused: {
    kind: 'refused',
    message: 'The primary of {shard} of {name} stays where it is: {reason}.',
    hint: 'See `valkeeper db show {name}`; copies that are not in sync get there by themselves.',
  },
  takeover_refused: {
    kind: 'refused',
    message: 'Nobody takes the place of the primary of {shard} of {name}: {reason}.',
    hint: 'Nothing was changed. See `valkeeper db show {name}` and `valkeeper machine list`.',
  },
  takeover_unconfirmed: {
    kind: 'refused',
    message: 'Whether {machines} is off cannot be known from here, and only then is it safe. {consequences}',
    hint: 'Nothing was changed. If that is so, and this is accepted: `{command}`.',
  },
  removal_unconfirmed: {
    kind: 'refused',
    message: '{name} has {nodes} and is not heard of. {consequences}',
    hint: 'Nothing was changed. If it is off for good, and this is accepted: `{command}`. What a lost machine had is else rebuilt elsewhere by itself, where there is room.',
  },
  machine_not_off: {
    kind: 'refused',
    message: '{name} is not off: its agent answers.',
    hint: 'Nothing was changed. Empty it with `valkeeper machine drain {name}`, then remove it.',
  },
} as const;
