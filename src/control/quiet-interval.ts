/**
 * How long a database at which all is well is left alone. An end of a process is told by its agent at once; the quiet
 * look finds what nobody tells. Its cost goes by the node, so with many nodes it comes less often: the control plane
 * asks a bounded number of nodes a second, up to the fleet in which the longest interval is reached.
 */
const MIN_INTERVAL_MS = 1_000;
const MAX_INTERVAL_MS = 5_000;
const NODES_A_SECOND = 50;

/** @param nodes of all databases together */
export const quietIntervalMs = (nodes: number): number =>
  Math.min(MAX_INTERVAL_MS, Math.max(MIN_INTERVAL_MS, (nodes * 1_000) / NODES_A_SECOND));
