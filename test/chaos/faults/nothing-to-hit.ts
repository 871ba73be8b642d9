/** What was to be hit is not there; nothing was done. */
export class NothingToHit extends Error {}
