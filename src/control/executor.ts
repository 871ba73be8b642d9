/** Carries out one step: what it expects is checked again at the node, then the action, then an outcome as a value. */
import type { Database } from '../domain/database.ts';
import type { NodeId } from '../domain/ids.ts';
import { type Outcome, type Step, unmetExpectation } from '../plan/step.ts';
import { promote } from '../valkey/promotion.ts';
import { isSeeded } from './node-config.ts';
import { addCopy, clearRetired, retireCopy, wantPrimary } from './steps/membership.ts';
import {
  createNode,
  mendFiles,
  removeNode,
  replacePrimary,
  startNode,
  stopNode,
  writeConfig,
  writeUsers,
} from './steps/processes.ts';
import { claimSlots, configure, forget, meet, probe, replicate } from './steps/roles.ts';
import { moveSlots, retireShard } from './steps/slots.ts';
import type { Tools } from './tools.ts';

/** Never throws: what goes wrong is an outcome. */
export async function execute(tools: Tools, database: Database, step: Step): Promise<Outcome> {
  try {
    return await carryOut(tools, database, step);
  } catch (error) {
    return { result: 'retry', reason: error instanceof Error ? error.message : String(error) };
  }
}

async function carryOut(tools: Tools, database: Database, step: Step): Promise<Outcome> {
  const { agents, clock, databases, engines, observer } = tools;
  if (step.kind === 'delete_record') {
    engines.drop(database.nodes);
    await databases.remove(database.name);
    return { result: 'done' };
  }
  if (step.kind === 'add_copy') return tools.oneByOne(() => addCopy(tools, database, step));
  if (step.kind === 'retire_copy') return retireCopy(tools, database, step);
  if (step.kind === 'retire_shard') return retireShard(tools, database, step);
  if (step.kind === 'clear_retired') return clearRetired(tools, database, step);
  const node = database.nodes.find(({ id }) => id === step.target);
  if (!node) return { result: 'failed', reason: `${step.target} is not a node of ${database.name}` };
  const seen = await observer.observeNode(database, node);
  const unmet = unmetExpectation(step.expects, seen);
  if (unmet) return { result: 'blocked', reason: unmet };
  const connectionTo = (id: NodeId) =>
    engines.connection(database.secrets.adminPassword, database.nodes.find((one) => one.id === id)!);
  const engine = connectionTo(node.id);
  switch (step.kind) {
    case 'create_node':
      if (isSeeded(database, node)) await tools.seeds.deliver(database, node);
      return createNode(agents, database, node, step);
    case 'start_node':
      return startNode(agents, database, node, step);
    case 'stop_node':
      return seen.process.state === 'running'
        ? stopNode(agents, node, seen.process.pid)
        : { result: 'blocked', reason: `its process is ${seen.process.state}` };
    case 'remove_node':
      return removeNode(agents, database, node);
    case 'claim_slots':
      return claimSlots(clock, engine, step);
    case 'meet':
      return meet(
        engine,
        database.nodes.filter(({ id }) => step.args.peers.includes(id)),
      );
    case 'replicate':
      return replicate(engine, step);
    case 'promote':
      return (await replacePrimary(agents, database, step)) ?? promote(clock, engine, step.args.mode);
    case 'switch_over':
      return promote(clock, engine, 'coordinated');
    case 'move_slots':
      return moveSlots(tools, database, connectionTo, step);
    case 'probe':
      return probe(engine, step.args.slots);
    case 'configure':
      return configure(engine, step);
    case 'write_config':
      return seen.process.state === 'running'
        ? writeConfig(agents, database, node, seen.process.pid)
        : { result: 'blocked', reason: `its process is ${seen.process.state}` };
    case 'write_users':
      return writeUsers(agents, engine, database, node);
    case 'want_primary':
      return wantPrimary(tools, database, node, step);
    case 'cut_log':
    case 'set_data_aside':
      return mendFiles(agents, node, step);
    case 'forget':
      return forget(engine, step);
  }
}
