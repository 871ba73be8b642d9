/** The part of the error catalogue that is about the store; see error-catalogue.ts. */

/** By code. */
export const STORE_ERRORS = {
  store_limit: {
    kind: 'invalid',
    message: 'The store does not take this {what}: {problem}.',
    hint: '{remedy}',
  },
  store_in_use: {
    kind: 'conflict',
    message: 'Another process has the store {path} open.',
    hint: 'One control plane at a time: stop the other with `valkeeper down`, or choose another data directory.',
  },
  store_too_new: {
    kind: 'conflict',
    message: 'The store {path} has format {found}; this version of Valkeeper knows formats up to {known}.',
    hint: 'Run the newer version of Valkeeper that wrote it.',
  },
  store_history_gone: {
    kind: 'conflict',
    message: 'The store no longer has the changes since revision {wanted}, only those since {oldest}.',
    hint: 'Read the present state, and watch from there.',
  },
  store_lease_gone: {
    kind: 'conflict',
    message: 'The lease {lease} has ended: nothing is kept under it any more.',
    hint: 'Nothing was changed. Ask for a new lease.',
  },
  store_unusable: {
    kind: 'unavailable',
    message: 'The store {path} cannot be used: {problem}.',
    hint: '{remedy}',
  },
  store_full: {
    kind: 'unavailable',
    message: 'The store {path} is full: its disk has no space left, or it reached its own limit of {limitMib} MiB.',
    hint: 'Free space on that disk (`df -h`) and try again; the refused change was not made.',
  },
  store_damaged: {
    kind: 'unavailable',
    message: '{path} is not a sound Valkeeper store: {problem}.',
    hint: 'Move it away, together with its -wal file, and put back a copy; running databases go on meanwhile.',
  },
  not_leader: {
    kind: 'unavailable',
    message: 'This control plane leads no longer: another may change this now.',
    hint: 'Nothing was changed. Send it again: it is passed on to the one that leads.',
  },
  store_unreachable: {
    kind: 'unavailable',
    message: 'No member of etcd answers ({problem}).',
    hint: 'Nothing was changed. A majority of the members must run and be reachable; it is tried again by itself.',
  },
  store_outcome_unknown: {
    kind: 'unavailable',
    message: 'Nobody can tell whether the change was made: etcd was lost before it answered ({problem}).',
    hint: 'Look before you repeat it. Once a later change was made, this one is not made any more.',
  },
  store_closed: {
    kind: 'unavailable',
    message: 'The store is closed: Valkeeper is stopping.',
    hint: 'Try again when it runs.',
  },
} as const;
