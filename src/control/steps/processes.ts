/** Steps that an agent carries out: nodes are created, started and removed. */
import type { Database, NodeAssignment } from '../../domain/database.ts';
import { startAs } from '../../domain/start-as.ts';
import type { Outcome, Step } from '../../plan/step.ts';
import * as admin from '../../valkey/admin.ts';
import type { NodeCommands } from '../../valkey/connection.ts';
import { aclFile } from '../acl.ts';
import type { Agents } from '../agents.ts';
import { directives, nodeConfig } from '../node-config.ts';

/** A process must accept connections within this time; agents give up a little earlier themselves. */
const START_TIMEOUT_MS = 15_000;
const CONFIGURE_TIMEOUT_MS = 5_000;
/** A little longer than a promotion may take. */
const PROMOTE_TIMEOUT_MS = 3_000;
/** To write its data and end; after that its agent kills it. */
const STOP_GRACE_MS = 10_000;
const STOP_TIMEOUT_MS = 25_000;
const MEND_TIMEOUT_MS = 15_000;
const REMOVE_TIMEOUT_MS = 15_000;

type StepOf<Kind extends Step['kind']> = Extract<Step, { kind: Kind }>;

const DONE: Outcome = { result: 'done' };

/** The agent makes the directory and starts the process; done when it accepts connections. */
export async function createNode(
  agents: Agents,
  database: Database,
  node: NodeAssignment,
  step: StepOf<'create_node'>,
): Promise<Outcome> {
  await agents.request(node.machine, 'create_node', nodeConfig(database, node, step.args.birth), START_TIMEOUT_MS);
  return DONE;
}

/** The agent starts the process, fenced if it is to come back as a replica. */
export async function startNode(
  agents: Agents,
  database: Database,
  node: NodeAssignment,
  step: StepOf<'start_node'>,
): Promise<Outcome> {
  const as = startAs(step.args, database.nodes);
  const report = agents.report(node.machine, node.id);
  const ended = typeof report === 'object' && report.process.state === 'exited' ? { after: report.process.at } : {};
  await agents.request(node.machine, 'start_node', { id: node.id, as, ...ended }, START_TIMEOUT_MS);
  return DONE;
}

/**
 * By the agent that saw the primary end, where it is there: it promotes by itself, too, and two at once could choose
 * different ones. Null: it is to be done from here.
 */
export async function replacePrimary(
  agents: Agents,
  { nodes, overridden }: Database,
  { target, args: { insteadOf, mode } }: StepOf<'promote'>,
): Promise<Outcome | null> {
  const machine = nodes.find(({ id }) => id === insteadOf)?.machine;
  if (machine === undefined || insteadOf in overridden || agents.report(machine, insteadOf) === 'unknown') return null;
  const args = { id: insteadOf, by: target, mode };
  const answer = await agents.request(machine, 'replace_primary', args, PROMOTE_TIMEOUT_MS);
  return answer.result === 'declined' ? null : answer;
}

/** The agent ends the process, unless another runs than the one that was looked at. */
export async function stopNode(agents: Agents, node: NodeAssignment, pid: number): Promise<Outcome> {
  const args = { id: node.id, pid, graceMs: STOP_GRACE_MS };
  const { stopped } = await agents.request(node.machine, 'stop_node', args, STOP_TIMEOUT_MS);
  return stopped ? DONE : { result: 'retry', reason: `process ${pid} has ended` };
}

/**
 * The agent writes the node's valkey.conf, unless a start by it would not find the data yet, or another process than the
 * one looked at runs. Where it takes a first snapshot, it has it saved.
 */
export async function writeConfig(
  agents: Agents,
  database: Database,
  node: NodeAssignment,
  pid: number,
): Promise<Outcome> {
  const args = { id: node.id, pid, directives: directives(database) };
  const answer = await agents.request(node.machine, 'configure_node', args, CONFIGURE_TIMEOUT_MS);
  return answer.written ? DONE : { result: 'retry', reason: answer.reason };
}

/** The agent writes the ACL file, then the process reads it: as a whole or, if anything is wrong in it, not at all. */
export async function writeUsers(
  agents: Agents,
  engine: NodeCommands,
  database: Database,
  node: NodeAssignment,
): Promise<Outcome> {
  const args = { id: node.id, aclFile: aclFile(database) };
  await agents.request(node.machine, 'write_users', args, CONFIGURE_TIMEOUT_MS);
  await admin.loadUsers(engine);
  return DONE;
}

/** The agent mends the files of a node that does not run. A log takes its time: what is not over by then goes on there. */
export async function mendFiles(
  agents: Agents,
  node: NodeAssignment,
  { kind }: StepOf<'cut_log' | 'set_data_aside'>,
): Promise<Outcome> {
  await agents.request(node.machine, kind, { id: node.id }, MEND_TIMEOUT_MS);
  return DONE;
}

/** The agent stops the process and removes the directory, if it is this database's. */
export async function removeNode(agents: Agents, database: Database, node: NodeAssignment): Promise<Outcome> {
  const args = { id: node.id, databaseUid: database.uid };
  await agents.request(node.machine, 'remove_node', args, REMOVE_TIMEOUT_MS);
  return DONE;
}
