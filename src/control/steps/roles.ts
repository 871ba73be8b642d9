/** Steps that change what nodes are to each other, by the engine's own commands. `OK` is never the proof: the role is. */
import { BUS_PORT_OFFSET, type NodeAssignment } from '../../domain/database.ts';
import { placeholderOf } from '../../domain/ids.ts';
import { keyInSlots } from '../../domain/key-slot.ts';
import type { SlotRange } from '../../domain/slots.ts';
import type { Outcome, Step } from '../../plan/step.ts';
import type { Clock } from '../../platform/clock.ts';
import * as admin from '../../valkey/admin.ts';
import type { NodeCommands } from '../../valkey/connection.ts';
import { promote } from '../../valkey/promotion.ts';

type StepOf<Kind extends Step['kind']> = Extract<Step, { kind: Kind }>;

const DONE: Outcome = { result: 'done' };

/** Takes the slots from the placeholder it was born under, and forgets it before anybody is told of it. */
export async function claimSlots(clock: Clock, node: NodeCommands, step: StepOf<'claim_slots'>): Promise<Outcome> {
  const outcome = await promote(clock, node, 'takeover');
  if (outcome.result === 'done') await admin.forget(node, placeholderOf(step.target));
  return outcome;
}

/** Handshakes are begun here and end by themselves. */
export async function meet(node: NodeCommands, peers: readonly NodeAssignment[]): Promise<Outcome> {
  await Promise.all(peers.map(({ host, port }) => admin.clusterMeet(node, host, port, port + BUS_PORT_OFFSET)));
  return DONE;
}

/** What the node held is replaced by a copy of the primary's data. */
export async function replicate(node: NodeCommands, step: StepOf<'replicate'>): Promise<Outcome> {
  await admin.replicate(node, step.args.primary);
  return DONE;
}

/** Nothing is written under this name for longer than a transaction. */
const PROBE_PREFIX = 'valkeeper:probe:';
const PROBE_TIMEOUT_MS = 200;

/** Whether it reached the replicas, the next look shows. */
export async function probe(node: NodeCommands, slots: readonly SlotRange[]): Promise<Outcome> {
  if (slots.length === 0) await admin.askReplicas(node, PROBE_TIMEOUT_MS);
  else await admin.probeReplication(node, keyInSlots(PROBE_PREFIX, slots), PROBE_TIMEOUT_MS);
  return DONE;
}

/** All of them or none. */
export async function configure(node: NodeCommands, { args }: StepOf<'configure'>): Promise<Outcome> {
  await admin.configSet(node, args.settings);
  return DONE;
}

/** For 60 s the engine does not let a forgotten node in again by gossip; a later look repeats it if one returns. */
export async function forget(node: NodeCommands, step: StepOf<'forget'>): Promise<Outcome> {
  await Promise.all(step.args.strangers.map((id) => admin.forget(node, id)));
  return DONE;
}
