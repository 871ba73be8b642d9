/** A primary is killed while writers write. */
import { timelineInWords } from '../domain/failover.ts';
import type { DatabaseStatus, NodeStatus, ShardStatus } from '../domain/status.ts';
import type { Scene } from './scene.ts';
import { lacking, primaryOf } from './shards.ts';
import { pause, until, within } from './wait.ts';
import { duration } from './words.ts';
import type { Writers } from './writers.ts';

const ACCEPTED_MS = 30_000;
const REPLICA_BACK_MS = 60_000;

export interface Loss {
  shard: string;
  killed: NodeStatus;
  successor: NodeStatus;
  writesBefore: number;
  /** From the kill, in milliseconds. */
  waitMs: number;
  replicaBackMs: number;
}

/**
 * Kills the primary of the shard after `beforeMs` of writing, and waits until the shard is whole again.
 * @throws demo_late, the signal's reason
 */
export async function losePrimaryOf(
  scene: Scene,
  shard: ShardStatus,
  writers: Writers,
  beforeMs: number,
): Promise<Loss> {
  const { signal } = scene;
  scene.phase('writing');
  await pause(beforeMs, signal);
  const writesBefore = writers.acknowledged.size;
  const killed = primaryOf(shard);
  const killedAt = performance.now();
  const accepted = writers.firstAcceptedFromNow();
  scene.kill(killed);
  const what = `a write accepted for a key of ${shard.id} after the kill`;
  const waitMs = (await within(accepted, { what, timeoutMs: ACCEPTED_MS, signal })) - killedAt;
  scene.say(`kill -9 ${killed.pid}: the primary of ${shard.id}, on ${killed.machine}.`);
  scene.say(`${duration(waitMs)} later ${shard.id} accepts a write again.`);
  scene.phase(`waiting for ${shard.id} to have its replica again`);
  const healed = await until(scene.show, (seen) => missingFrom(seen, shard.id, killed), {
    ...{ what: `the replica of ${shard.id} back in sync`, timeoutMs: REPLICA_BACK_MS, signal },
  });
  const replicaBackMs = performance.now() - killedAt;
  const now = healed.shards.find(({ id }) => id === shard.id)!;
  const successor = primaryOf(now);
  const copies = now.replicas.map(({ machine }) => machine).join(', ');
  scene.say(
    `${successor.machine} serves ${shard.id} now; ${duration(replicaBackMs)} after the kill it has its replica again, on ${copies}.`,
  );
  await tellStory(scene, killed);
  return { shard: shard.id, killed, successor, writesBefore, waitMs, replicaBackMs };
}

/** How it went, in the words of the agent that did it. */
async function tellStory(scene: Scene, { nodeId, machine }: NodeStatus): Promise<void> {
  const failover = (await scene.failovers()).find(({ node }) => node === nodeId);
  if (!failover) return;
  scene.say(`What the agent of ${machine} did, from when it saw the process end:`);
  for (const line of timelineInWords(failover)) scene.say(`  ${line}`);
}

/** What the shard lacks to be whole with another primary; null when nothing. */
function missingFrom(seen: DatabaseStatus, id: string, killed: NodeStatus): string | null {
  const shard = seen.shards.find((one) => one.id === id);
  if (shard?.primary?.pid === killed.pid) return `${id} is still shown with the killed primary`;
  return lacking(seen);
}
