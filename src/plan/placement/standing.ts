/** The scoring, in one place: how a machine stands for one more copy of a shard, and which of two is preferred. */

export interface Standing {
  /** Another copy of the shard is in its zone. */
  sharesZone: boolean;
  /** Nodes of the database that it has. */
  nodes: number;
  /** Share of its memory that would be reserved then, 0 to 1. */
  fill: number;
}

/** Below 0 when the first is preferred: in another zone, with fewer of the database's nodes, with more memory left. */
export const byPreference = (a: Standing, b: Standing): number =>
  Number(a.sharesZone) - Number(b.sharesZone) || a.nodes - b.nodes || a.fill - b.fill;
