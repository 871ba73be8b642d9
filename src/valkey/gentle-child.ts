/**
 * A child that saves or sends data lets others to the processor every few keys. Else it takes whole time slices of some
 * milliseconds, for which clients of the machine's other nodes wait where it has few processors.
 */
import type { NodeCommands } from './connection.ts';

/**
 * A setting of the engine for its own tests, which sleeps after each key; a negative number N sleeps as short as it can (some
 * 60 us) with the chance of 1 in N (config.c, debugDelay in debug.c). A child keeps what was set when it began.
 */
const SETTING = 'rdb-key-save-delay';
/** Between two sleeps, of the data in memory: written in a fifth of a millisecond or less. */
const BYTES_BETWEEN = 16 * 1024;
const MOST_KEYS_BETWEEN = 1_024;

/** Keys between two sleeps of the child. @param meanBytes that a key takes in memory */
export const keysBetween = (meanBytes: number): number =>
  Math.max(1, Math.min(MOST_KEYS_BETWEEN, Math.round(BYTES_BETWEEN / Math.max(1, meanBytes))));

/**
 * Runs `fork`, which resolves when the node has forked, such that its child is a gentle one. Where the node does not take
 * the setting, its child is like any other; where it does not take it back, so are those after it, until it is started again.
 */
export async function withGentleChild<T>(
  node: Pick<NodeCommands, 'command'>,
  meanBytes: number,
  fork: () => Promise<T>,
): Promise<T> {
  const set = (value: number): Promise<unknown> =>
    node.command('CONFIG', 'SET', SETTING, String(value)).catch(() => {});
  await set(-keysBetween(meanBytes));
  try {
    return await fork();
  } finally {
    await set(0);
  }
}
