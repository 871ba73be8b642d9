/** A machine loses its power while writers write, and comes back later. */
import type { DatabaseStatus, ShardStatus } from '../domain/status.ts';
import { inSlots } from './dataset.ts';
import type { Scene } from './scene.ts';
import { lacking, primariesOf } from './shards.ts';
import { pause, until, within } from './wait.ts';
import { count, duration } from './words.ts';
import type { Writers } from './writers.ts';

/** Writing goes on undisturbed for so long before the loss, in milliseconds. */
const BEFORE_MS = 2_000;
/**
 * Replication is asynchronous: of what a primary acknowledges so shortly before it is gone nobody promises that its
 * replica has it. In milliseconds.
 */
const UNPROMISED_MS = 1_000;
const ACCEPTED_MS = 30_000;
const AWAY_MS = 30_000;
const WHOLE_MS = 90_000;
const BACK_MS = 60_000;

/** A machine, and what of the database it has. */
export interface Stake {
  machine: string;
  /** Whose primary is there. */
  shard: ShardStatus;
  copies: number;
}

export interface MachineLoss {
  writesBefore: number;
  /** Keys of writes that were acknowledged so late that they may be lost with their primary. */
  unpromised: ReadonlySet<string>;
  /** From the loss, in milliseconds. */
  waitMs: number;
  awayMs: number;
  wholeMs: number;
  /** The database when it was whole again. */
  healed: DatabaseStatus;
}

/** How the machine came back. */
export interface MachineReturn {
  /** From the power's return until nothing of the old was left and it served again, in milliseconds. */
  backMs: number;
  foldersBefore: number;
  foldersAfter: number;
  /** Nodes that the control plane has there. */
  nodes: number;
}

/** A machine with exactly one primary: the others still have the majority that elects its successor. Null without one. */
export function stakeIn(status: DatabaseStatus): Stake | null {
  const homes = primariesOf(status).map(({ machine }) => machine);
  const shard = status.shards.findLast((_, index) => homes.filter((machine) => machine === homes[index]).length === 1);
  if (!shard) return null;
  const { machine } = shard.primary!;
  return { machine, shard, copies: machinesOf(status).filter((one) => one === machine).length };
}

/** Of all copies. */
const machinesOf = ({ shards }: DatabaseStatus): string[] =>
  shards.flatMap(({ primary, replicas }) => [...(primary ? [primary] : []), ...replicas]).map(({ machine }) => machine);

/** Cuts the power, and waits until the database is whole on the other machines. @throws demo_late, the signal's reason */
export async function loseMachine(scene: Scene, { machine, shard }: Stake, writers: Writers): Promise<MachineLoss> {
  const { signal } = scene;
  scene.phase('writing');
  await pause(BEFORE_MS - UNPROMISED_MS, signal);
  const promised = writers.acknowledged.size;
  await pause(UNPROMISED_MS, signal);
  const writesBefore = writers.acknowledged.size;
  const lostAt = performance.now();
  const accepted = writers.firstAcceptedFromNow();
  const processes = scene.cutPower(machine);
  scene.say(`${machine} loses its power: its ${count(processes)} processes stop where they are, without a word.`);
  scene.phase(`waiting for ${shard.id} to accept a write again`);
  const what = `a write accepted for a key of ${shard.id} after the loss`;
  const waitMs = (await within(accepted, { what, timeoutMs: ACCEPTED_MS, signal })) - lostAt;
  const late = [...writers.acknowledged.keys()].slice(promised).filter((key) => inSlots(key, shard.slots));
  scene.say(`${duration(waitMs)} later ${shard.id} accepts a write: the other primaries have elected its replica.`);

  scene.phase(`waiting for ${machine} to count as away`);
  await until(
    () => scene.machine(machine),
    ({ connected }) => (connected ? `${machine} is still shown as connected` : null),
    { what: `${machine} to count as away`, timeoutMs: AWAY_MS, signal },
  );
  const awayMs = performance.now() - lostAt;
  scene.phase('waiting for its copies to be made anew on the other machines');
  const healed = await until(scene.show, (seen) => missingWithout(machine, seen), {
    ...{ what: `every shard whole without ${machine}`, timeoutMs: WHOLE_MS, signal },
  });
  const wholeMs = performance.now() - lostAt;
  return { writesBefore, unpromised: new Set(late), waitMs, awayMs, wholeMs, healed };
}

/** What the database lacks to be whole with nothing on that machine; null when nothing. */
function missingWithout(machine: string, seen: DatabaseStatus): string | null {
  const there = seen.shards.find(({ primary, replicas }) =>
    [primary, ...replicas].some((node) => node?.machine === machine),
  );
  return lacking(seen) ?? (there ? `${there.id} still counts on ${machine}` : null);
}

/** Gives the power back, and waits until the machine has nothing of the old and serves. @throws as `loseMachine` */
export async function bringBack(scene: Scene, machine: string): Promise<MachineReturn> {
  const foldersBefore = scene.nodeFolders(machine).length;
  const backAt = performance.now();
  scene.restorePower(machine);
  scene.phase(`waiting for ${machine} to come back`);
  const seen = await until(
    async () => ({
      ...{ machine: await scene.machine(machine), database: await scene.show() },
      folders: scene.nodeFolders(machine).length,
    }),
    (now) => {
      if (!now.machine.connected) return `${machine} is not connected`;
      if (now.folders + now.machine.nodes > 0) return `${machine} still has something of its old nodes`;
      if (!now.database.endpoints.some((one) => one.machine === machine && one.serves)) return 'its endpoint is closed';
      return lacking(now.database);
    },
    { what: `${machine} to come back with nothing of the old`, timeoutMs: BACK_MS, signal: scene.signal },
  );
  const backMs = performance.now() - backAt;
  return { backMs, foldersBefore, foldersAfter: seen.folders, nodes: seen.machine.nodes };
}
