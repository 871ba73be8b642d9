/** Steps that change which nodes a database has. */
import { BUS_PORT_OFFSET, type Database, type NodeAssignment, speaksTls } from '../../domain/database.ts';
import { withNode, withoutNode, withoutRetired } from '../../plan/membership.ts';
import { retireObstacle } from '../../plan/moves.ts';
import type { Outcome, Step } from '../../plan/step.ts';
import { withWish } from '../../plan/switchover.ts';
import { portsInUse } from '../admission.ts';
import type { Tools } from '../tools.ts';

const PORTS_TIMEOUT_MS = 5_000;
/** Its process is killed and its directory removed. */
const REMOVE_TIMEOUT_MS = 15_000;
const DONE: Outcome = { result: 'done' };

type StepOf<K extends Step['kind']> = Extract<Step, { kind: K }>;

/** A node more in the record, with a port that is free on its machine; it is made afterwards. */
export async function addCopy(tools: Tools, database: Database, step: StepOf<'add_copy'>): Promise<Outcome> {
  const { agents, databases, machines, newNodeId } = tools;
  const { machine, present } = step.args;
  const host = machines().find(({ name }) => name === machine)?.address;
  if (host === undefined) return { result: 'blocked', reason: `there is no machine named ${machine} any more` };
  const endpointPort = database.spec.port;
  const avoid = [...portsInUse(machine, databases.all()), endpointPort, endpointPort - BUS_PORT_OFFSET];
  const { ports } = await agents.request(machine, 'free_ports', { count: 1, avoid }, PORTS_TIMEOUT_MS);
  const node: NodeAssignment = {
    id: newNodeId(),
    shard: step.target,
    machine,
    host,
    port: ports[0]!,
    tls: speaksTls(database),
    birth: { role: 'replica' },
  };
  let isAdded = false;
  await databases.change(database.name, (record) => {
    const now = record.nodes.filter(({ shard }) => shard === step.target).map(({ id }) => id);
    isAdded = !record.deleting && now.join() === present.join();
    return isAdded ? withNode(record, node) : record;
  });
  return isAdded ? DONE : { result: 'blocked', reason: `${step.target} has other copies by now` };
}

/** Out of the record, if another look agrees that nothing is lost by it. */
export async function retireCopy(tools: Tools, database: Database, step: StepOf<'retire_copy'>): Promise<Outcome> {
  const { databases, engines, observer } = tools;
  const obstacle = retireObstacle(database, await observer.observe(database), step.target);
  if (obstacle) return { result: 'blocked', reason: obstacle };
  engines.drop(database.nodes.filter(({ id }) => id === step.target));
  await databases.change(database.name, (record) => withoutNode(record, step.target));
  return DONE;
}

/** As if a person had asked for the switchover, unless one has meanwhile; it is brought about next. */
export async function wantPrimary(
  { clock, databases }: Tools,
  database: Database,
  { shard }: NodeAssignment,
  { args, target }: StepOf<'want_primary'>,
): Promise<Outcome> {
  const wish = { shard, from: args.insteadOf, to: target };
  await databases.change(database.name, (record) =>
    record.wantedPrimaries[shard] ? record : withWish(record, wish, clock.now()),
  );
  return DONE;
}

/** What its agent still has of it is removed; where there is no agent any more, the record forgets it. */
export async function clearRetired(
  { agents, databases, machines }: Tools,
  database: Database,
  step: StepOf<'clear_retired'>,
): Promise<Outcome> {
  const node = database.retired.find(({ id }) => id === step.target);
  if (!node) return DONE;
  const isThere = machines().every(({ name, state }) => name !== node.machine || state !== 'removed');
  // Also where its agent has nothing of it: a wish to make it may still be on its way, and this one comes behind it.
  if (isThere) {
    const args = { id: node.id, databaseUid: database.uid };
    await agents.request(node.machine, 'remove_node', args, REMOVE_TIMEOUT_MS);
  }
  await databases.change(database.name, (record) => withoutRetired(record, node.id));
  return DONE;
}
