/**
 * Kills one process when a job is in the state that was asked for, or when it is told to. A program of its own, so that
 * nothing else keeps it from looking at the nodes as often as they answer. Orders come and reports go as messages; it
 * ends with the program that started it.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { servingEndpoint } from '../../../src/agent/endpoint-process.ts';
import { pathsIn, runningServer } from '../../../src/main/data-dir.ts';
import { recordedAgent } from '../../../src/main/local-fleet.ts';
import { MIGRATIONS_QUESTION, parseSlotMigrations } from '../../../src/valkey/slot-migrations.ts';
import { adminOf, type Node } from './admin.ts';
import { JobStates } from './job-states.ts';
import { type JobMoment, partsOf } from './pairs.ts';
import type { Aim, Order, Parties, Report, Struck } from './striker.ts';

/** Between two looks at a node while the state is awaited, and otherwise. */
const WATCHING_MS = 1;
const RESTING_MS = 10;
const FAILED_MS = 10;
/** These pass so fast that the nodes are asked again at once. */
const BRIEF = new Set([
  ...['connecting', 'reading-auth-response', 'reading-establish-response', 'waiting-for-ack'],
  ...['waiting-to-pause', 'failover-paused', 'failover-granted', 'waiting-for-paused', 'failover-requested'],
]);

const [dataDir] = process.argv.slice(2) as [string];
const states = new JobStates();
const followed = new Map<string, Node>();
let likely: Parties = { source: '', target: '' };
let aim: Aim | null = null;
/** The delay before the kill runs. */
let begun = false;

const send = (report: Report): void => void process.send!(report);

process.on('disconnect', () => process.exit(0));
process.on('message', (order: Order) => {
  switch (order.kind) {
    case 'nodes':
      likely = order.likely;
      return know(order.nodes);
    case 'aim':
      return void takeAim(order.aim);
    case 'strike':
      return void begin();
    case 'rest':
      aim = null;
      return send({ kind: 'resting' });
  }
});

/** Those that are asked from now on. */
function know(nodes: readonly Node[]): void {
  const ids = new Set(nodes.map(({ nodeId }) => nodeId));
  for (const id of followed.keys()) if (!ids.has(id)) followed.delete(id);
  for (const node of nodes) {
    const isNew = !followed.has(node.nodeId);
    followed.set(node.nodeId, node);
    if (isNew) void follow(node);
  }
}

async function takeAim(next: Aim): Promise<void> {
  await Promise.all([...followed.values()].map((node) => look(node).catch(() => {})));
  states.begin();
  begun = false;
  aim = next;
  send({ kind: 'aiming' });
}

/** A single look, by a connection of its own. */
async function look(node: Node): Promise<void> {
  const connection = adminOf(dataDir, node);
  try {
    states.note(parseSlotMigrations(await connection.command(...MIGRATIONS_QUESTION)));
  } finally {
    connection.close();
  }
}

async function follow(node: Node): Promise<void> {
  const connection = adminOf(dataDir, node);
  while (followed.has(node.nodeId)) {
    try {
      states.note(parseSlotMigrations(await connection.command(...MIGRATIONS_QUESTION)));
      if (aim && !begun && isTime(aim)) void begin();
      await rest();
    } catch {
      await sleep(FAILED_MS); // it was killed, or is not there yet
    }
  }
  connection.close();
}

function rest(): Promise<unknown> {
  if (aim === null || aim.moment.startsWith('step:')) return sleep(RESTING_MS);
  return BRIEF.has(partsOf(aim.moment)[1]) ? nextTurn() : sleep(WATCHING_MS);
}

const isTime = ({ moment, job }: Aim): boolean =>
  !moment.startsWith('step:') && states.hasReached(moment as JobMoment, job);

async function begin(): Promise<void> {
  if (aim === null || begun) return;
  begun = true;
  const struckFor = aim;
  if (struckFor.delayMs > 0) await sleep(struckFor.delayMs);
  if (aim === struckFor) send({ kind: 'struck', ...strike(struckFor) });
}

function strike({ victim, machine }: Aim): Struck {
  const job = states.latest;
  const [source, target] = (['source', 'target'] as const).map(
    (side) => followed.get(job?.[side] ?? '') ?? followed.get(likely[side]),
  );
  const party = victim.startsWith('source') ? source : target;
  const on = victim === 'endpoint' ? machine : (party?.machine ?? machine);
  const pidOf = (): number | null => {
    switch (victim) {
      case 'control':
        return runningServer(dataDir)?.pid ?? null;
      case 'source-agent':
      case 'target-agent':
        return recordedAgent(dataDir, on)?.pid ?? null;
      case 'endpoint':
        return servingEndpoint(pathsIn(dataDir).machine(on))?.pid ?? null;
      case 'source':
      case 'target':
        return party?.pid ?? null;
    }
  };
  const pid = pidOf();
  const at = Date.now();
  let failure = pid === null ? 'it does not run' : null;
  try {
    if (pid !== null) process.kill(pid, 'SIGKILL');
  } catch (error) {
    failure = (error as Error).message;
  }
  return {
    at,
    pid,
    what: victim.endsWith('agent') || victim === 'endpoint' ? on : (party?.nodeId ?? ''),
    job,
    failure,
  };
}
