/** A primary that is cut off together with a client, which goes on writing to it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { cut, mend } from '../../test/support/net-faults.ts';
import { type Fault, pidsOn, shardsOn } from './acts.ts';
import { nowMs } from './clock.ts';
import { judge, type Write } from './history.ts';
import { Load } from './load.ts';
import { hasEnded } from './processes.ts';
import { tagsOf } from './tags.ts';

const ISOLATED_MS = 30_000;
const PER_SECOND = 500;
const PATIENCE_MS = 10_000;
const AFTER_MS = 500;

/**
 * Cuts the primary's machine off for 30 s, with a client on it. What that client was told is acknowledged and is not
 * there in the end is lost: no such write may have been acknowledged later than `lostUntilMs` after the cut.
 */
export const isolate =
  (lostUntilMs: number): Fault =>
  async (system, shards, shard) => {
    const { slots, primary } = shards[shard]!;
    const { machine } = primary;
    const host = system.hosts[machine]!;
    const inside = new Load(host, system.target(machine));
    await inside.begin('inside', PER_SECOND, tagsOf([slots], 1));
    if ((await inside.accepted(0, 0, PATIENCE_MS)) === null)
      throw new Error('nothing is accepted on the machine itself');
    const pids = pidsOn(shards, machine);
    const at = nowMs();
    await cut(host);
    const blow = { shards: shardsOn(shards, machine), at, deadAt: nowMs() };
    const seen: Awaited<ReturnType<Fault>>['seen'] = { broken: [], machine };
    const gone: number[] = [];
    let writes: Write[] = [];
    return {
      blow,
      lasts: sleep(ISOLATED_MS),
      mend: async () => {
        gone.push(...pids.filter(hasEnded));
        await mend(host);
        await sleep(AFTER_MS);
        writes = await inside.end();
        if (hasEnded(primary.pid)) await system.revive(primary);
      },
      gone,
      seen,
      afterwards: async () => {
        const found = judge(writes, { ...blow, shards: [0] }, await inside.verify());
        inside.close();
        const meanwhile = writes.filter(({ outcome, sentAt }) => outcome === 'ok' && sentAt >= blow.deadAt);
        Object.assign(seen, {
          ...{ insideAcknowledged: meanwhile.length, insideErrors: found.errors, insideLost: found.lost },
          ...{ insideLostUntilMs: found.lostUntilMs },
        });
        if (found.lost > 0 && (found.lostUntilMs ?? 0) > lostUntilMs) {
          seen.broken.push(
            `${found.lost} lost, the last acknowledged ${Math.round(found.lostUntilMs!)} ms after the cut`,
          );
        }
      },
    };
  };
