/**
 * Seeds to remember. What a seed stands for changes with the model: after a change of it, look for new ones that show
 * the same (put the defect back and run `npm run sim`), rather than keep numbers that have lost their meaning.
 */
import type { Invariant } from './invariants.ts';

/** Seeds that broke something once; what they found is mended, and they hold. */
export const KEPT: readonly { seed: number; mind: string; found: string }[] = [
  {
    seed: 45,
    mind: 'control-alone',
    found: 'A fenced replica did not know the epoch of its primary: when that died at once, nobody ever voted for it.',
  },
  {
    seed: 66,
    mind: 'control-alone',
    found:
      'Two primaries at one epoch, since the fenced one did not know the other: the dead one counted as the owner.',
  },
  {
    seed: 114,
    mind: 'control-alone',
    found: 'A fenced replica did not know what its primary owned, and took over nothing when that died at once.',
  },
  { seed: 173, mind: 'control-alone', found: 'The same with several shards: slots that nobody owned any more.' },
  {
    seed: 314,
    mind: 'control-alone',
    found: 'A copy that had come back with old data was promoted over a dead primary whose log had everything.',
  },
  {
    seed: 781,
    mind: 'control-alone',
    found:
      'A primary was restarted from an old snapshot while its replicas, out of reach for a moment, had everything.',
  },
  {
    seed: 3689,
    mind: 'control-alone',
    found: 'A primary without data was started while a dead copy had some, because another copy ran empty.',
  },
  {
    seed: 1962,
    mind: 'control-alone',
    found:
      'While one node after the other left its log for snapshots, a shard was started from a snapshot although a copy had a whole log.',
  },
  {
    seed: 1255,
    mind: 'control-alone',
    found: 'The same on the way from snapshots to a log.',
  },
  {
    seed: 1718,
    mind: 'control-alone',
    found:
      'A promotion waited for ever for the vote of a primary that had never met the dead one: such a one never votes.',
  },
  {
    seed: 301,
    mind: 'control-alone',
    found:
      'A replica was made to follow a primary whose slots it did not know: elected in its place it owned nothing, and deleted the last copy.',
  },
  {
    seed: 1984,
    mind: 'control-alone',
    found: 'An owner gave up its log while its copies were away, and died: an older log was promoted over a newer one.',
  },
  {
    seed: 245,
    mind: 'real',
    found: 'An agent ended while the writes of its machine were stopped, and the next one never let them go on.',
  },
  {
    seed: 85,
    mind: 'real',
    found: 'With durability acknowledged a shard waited for ever for a dead copy that nobody started.',
  },
  {
    seed: 42,
    mind: 'real',
    found: 'A copy that had come back with old data took over from a machine that was only cut off.',
  },
  {
    seed: 539,
    mind: 'real',
    found: 'A node that had died as a replica was replaced by one that had not heard of the switchover.',
  },
  {
    seed: 853,
    mind: 'real',
    found: 'A replica that hung for a moment was ended with the primaries, and with it the last copy.',
  },
  {
    seed: 649,
    mind: 'real',
    found:
      'A primary was started from its log: a copy that was away meanwhile counted further in the old history, and was promoted.',
  },
  {
    seed: 147,
    mind: 'real',
    found:
      'A copy that had lost its link long before its primary ended was promoted, though the log of the primary had all.',
  },
  {
    seed: 664,
    mind: 'real',
    found: 'The control plane and an agent promoted different replicas at the same time.',
  },
];

/** Seeds that break still, each for a reason that is known; they must go on to break so, or the entry is out of date. */
export const OPEN: readonly { seed: number; mind: string; invariant: Invariant; why: string }[] = [
  {
    seed: 1167,
    mind: 'real',
    invariant: 'last_copy',
    why: 'A primary without a log hangs for some seconds on a machine that is cut off: nobody can tell whether it still takes writes, so it is ended, and its copies are lost at that moment, too.',
  },
  {
    seed: 876,
    mind: 'real',
    invariant: 'converges',
    why: 'Two copies claim a shard without a log; the one with the higher epoch is dead and counts as the owner, so that the living one is not promoted over it, and the dead one is not started while a copy may have its data.',
  },
  ...[1071, 1283, 1372].map((seed) => ({
    ...{ seed, mind: 'real', invariant: 'heals_alone' as const },
    why: 'Without a control plane everything dies at once: each agent knows of the end of its own node only, believes the other primaries alive, and asks them for votes in vain.',
  })),
];
