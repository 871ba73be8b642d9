/** Watching a shard for another primary: whether the former had ended by then. */
import { setTimeout as sleep } from 'node:timers/promises';
import { nowMs } from './clock.ts';
import { hasEnded } from './processes.ts';
import type { Shard, System } from './system.ts';

const POLL_MS = 3;

export interface Change {
  /** When the process of the former primary was first seen to have ended; null: not yet. */
  endedAt: number | null;
  /** When a replica first said that it is the primary; null: not yet. */
  promotedAt: number | null;
  /** The former ran (stopped or not) when another was a primary already. */
  ranAtPromotion: boolean;
}

/** Begins to watch; `stop` ends it. What was seen is in `change`, at any time. */
export function watchChange(
  system: System,
  { primary, replicas }: Shard,
): { change: Change; stop: () => Promise<void> } {
  const change: Change = { endedAt: null, promotedAt: null, ranAtPromotion: false };
  const connections = replicas.map((replica) => system.admin(replica));
  let going = true;
  const end = async (): Promise<void> => {
    while (going && change.endedAt === null) {
      if (hasEnded(primary.pid)) change.endedAt = nowMs();
      else await sleep(1);
    }
  };
  const promotion = async (): Promise<void> => {
    while (going && change.promotedAt === null) {
      const roles = await Promise.allSettled(connections.map((connection) => connection.command('ROLE')));
      const promoted = roles.some((role) => role.status === 'fulfilled' && (role.value as unknown[])[0] === 'master');
      if (promoted) {
        change.ranAtPromotion = !hasEnded(primary.pid);
        change.promotedAt = nowMs();
      } else await sleep(POLL_MS);
    }
  };
  const done = Promise.all([end(), promotion()]);
  return {
    change,
    stop: async () => {
      going = false;
      await done;
      for (const connection of connections) connection.close();
    },
  };
}
