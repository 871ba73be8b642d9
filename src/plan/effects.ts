/**
 * What each step does when all goes well, on a view: the ground of forecasts (what would happen, step after step) and
 * of the planner's property tests. News travels at once here; the real engine needs a moment.
 */
import { type Database, type NodeAssignment, specNow } from '../domain/database.ts';
import { type NodeId, placeholderOf } from '../domain/ids.ts';
import { countSlots, rangesOf, SLOT_COUNT, type SlotRange, slotsIn, withoutSlots } from '../domain/slots.ts';
import {
  type AnsweringEngine,
  type DatabaseView,
  type DiskView,
  type NodeView,
  type PeerView,
  type Settings,
  WHOLE_FILES,
} from '../domain/view.ts';
import { wantedSettings } from './settings.ts';
import type { Step, StepArgs } from './step.ts';

/** The view after the step. Does not change its arguments. */
export function afterStep(database: Database, view: DatabaseView, step: Step): DatabaseView {
  if (step.kind === 'delete_record' || step.kind === 'probe' || step.kind === 'want_primary') return view;
  if (isOfRecord(step)) return withPresent(database, view);
  const node = database.nodes.find(({ id }) => id === step.target)!;
  const nodes = new Map(view.nodes);
  const before = nodes.get(node.id)!;
  switch (step.kind) {
    case 'create_node':
      nodes.set(node.id, born(database, node, step.args.birth));
      break;
    case 'start_node':
      nodes.set(node.id, started(database, node, before, step.args));
      break;
    case 'stop_node':
      nodes.set(node.id, stopped(before));
      break;
    case 'remove_node':
      nodes.set(node.id, ABSENT);
      break;
    case 'claim_slots':
      change(nodes, node.id, {
        role: 'primary',
        primaryId: null,
        slots: birthSlots(node),
        configEpoch: nextEpoch(nodes),
      });
      break;
    case 'replicate':
      change(nodes, node.id, {
        role: 'replica',
        primaryId: step.args.primary,
        slots: [],
        linkUp: true,
        linkDownSeconds: 0,
      });
      break;
    case 'move_slots':
      slotsMoved(nodes, node.id, step.args);
      break;
    case 'promote':
    case 'switch_over':
      promoted(nodes, node.id, step.args.insteadOf);
      break;
    case 'meet':
      change(nodes, node.id, { peers: [...peersOf(before), ...step.args.peers.map((id) => ({ id }) as PeerView)] });
      break;
    case 'configure':
      change(nodes, node.id, configured(before, step.args.settings));
      break;
    case 'write_config':
      nodes.set(node.id, { ...before, disk: written(before, step.args.settings) });
      break;
    case 'write_users':
      change(nodes, node.id, { aclMark: database.aclMark });
      nodes.set(node.id, withUsers(nodes.get(node.id)!, database.aclMark));
      break;
    case 'cut_log':
      nodes.set(node.id, { ...before, disk: before.disk && { ...before.disk, damage: null } });
      break;
    case 'set_data_aside':
      nodes.set(node.id, {
        ...before,
        disk: before.disk && { ...before.disk, damage: null, hasData: false, dataAt: null },
      });
      break;
    case 'forget':
      change(nodes, node.id, { peers: peersOf(before).filter(({ id }) => !step.args.strangers.includes(id)) });
      break;
  }
  return { ...view, nodes: gossiped(database, nodes) };
}

export const ABSENT: NodeView = {
  process: { state: 'absent' },
  disk: null,
  engine: { state: 'unknown', reason: 'no process' },
  down: null,
};

/** It changes the record, and the view only so far as nodes come or go; `recordAfter` says how. */
const isOfRecord = ({ kind }: Step): boolean =>
  kind === 'add_copy' || kind === 'retire_copy' || kind === 'retire_shard' || kind === 'clear_retired';

/** A node of the record that nothing was seen of is not there yet; of one that is gone nothing is seen. */
function withPresent(database: Database, view: DatabaseView): DatabaseView {
  const ids = [...database.nodes, ...database.retired].map(({ id }) => id);
  return { ...view, nodes: gossiped(database, new Map(ids.map((id) => [id, view.nodes.get(id) ?? ABSENT]))) };
}

/** What the engine writes after a change of settings, it has written at once. */
function configured({ engine }: NodeView, change: Settings): Partial<AnsweringEngine> {
  const settings = { ...(engine.state === 'answering' ? engine.settings : {}), ...change };
  return { settings, logComplete: settings['appendonly'] === 'yes', saving: false };
}

const written = ({ disk }: NodeView, change: Settings): DiskView | null =>
  disk && { ...disk, settings: { ...disk.settings, ...change } };

const withUsers = (node: NodeView, aclMark: string): NodeView =>
  node.disk ? { ...node, disk: { ...node.disk, aclMark } } : node;

const birthSlots = (node: NodeAssignment): readonly SlotRange[] =>
  node.birth.role === 'primary' ? node.birth.slots : [];

const peersOf = (node: NodeView | undefined): readonly PeerView[] =>
  node?.engine.state === 'answering' ? node.engine.peers : [];

function change(nodes: Map<NodeId, NodeView>, id: NodeId, facts: Partial<AnsweringEngine>): void {
  const node = nodes.get(id);
  if (node?.engine.state === 'answering') nodes.set(id, { ...node, engine: { ...node.engine, ...facts } });
}

function nextEpoch(nodes: ReadonlyMap<NodeId, NodeView>): number {
  const epochs = [...nodes.values()].flatMap(({ engine, disk }) => [
    engine.state === 'answering' ? engine.configEpoch : 0,
    disk?.claim?.configEpoch ?? 0,
  ]);
  return Math.max(0, ...epochs) + 1;
}

const freshEngine = (id: NodeId, settings: Settings, aclMark: string | null): AnsweringEngine => ({
  state: 'answering',
  id,
  role: 'primary',
  primaryId: null,
  slots: [],
  configEpoch: 0,
  currentEpoch: 0,
  clusterOk: false,
  slotsOk: 0,
  peers: [],
  loading: false,
  offset: 0,
  history: '',
  linkUp: false,
  linkDownSeconds: null,
  syncInProgress: false,
  streamedBytes: 0,
  replicas: [],
  keys: 0,
  usedMemoryBytes: 0,
  countedMemoryBytes: 0,
  dataBytes: 0,
  failingWrites: [],
  refusesWrites: false,
  delayedFsyncs: 0,
  settings,
  aclMark,
  logComplete: settings['appendonly'] === 'yes',
  saving: false,
});

function born(database: Database, node: NodeAssignment, birth: 'primary' | 'replica'): NodeView {
  const settings = wantedSettings(specNow(database));
  const unborn: Partial<AnsweringEngine> =
    birth === 'primary' ? { role: 'replica', primaryId: placeholderOf(node.id) } : {};
  return {
    process: { state: 'running', pid: 1 },
    disk: { hasData: false, dataAt: null, claim: null, ...WHOLE_FILES, settings, aclMark: database.aclMark },
    engine: { ...freshEngine(node.id, settings, database.aclMark), ...unborn },
    down: null,
  };
}

function started(
  database: Database,
  node: NodeAssignment,
  before: NodeView,
  { replicaOf: leader, yields = [] }: StepArgs['start_node'],
): NodeView {
  const claim = before.disk?.claim ?? null;
  const left = yields.flatMap(({ slots }) => slots);
  const itself: Partial<AnsweringEngine> = claim
    ? {
        role: claim.role,
        primaryId: claim.primaryId,
        slots: withoutSlots(claim.slots, left),
        configEpoch: claim.configEpoch,
      }
    : {};
  const peers = leader ? [{ id: leader.id, role: 'primary', slots: leader.slots } as PeerView] : [];
  const role: Partial<AnsweringEngine> = leader
    ? { role: 'replica', primaryId: leader.id, linkUp: true, linkDownSeconds: 0, peers }
    : itself;
  const settings = before.disk?.settings ?? wantedSettings(specNow(database));
  const hasData = before.disk?.hasData === true;
  return {
    process: { state: 'running', pid: 1 },
    disk: before.disk,
    engine: {
      ...freshEngine(node.id, settings, before.disk?.aclMark ?? null),
      ...role,
      keys: hasData ? 1 : 0,
      offset: 1,
    },
    down: null,
  };
}

function stopped({ engine, disk }: NodeView): NodeView {
  const claim = engine.state === 'answering' ? engine : null;
  return {
    process: { state: 'exited', how: 'stopped', at: 0, detail: 'stopped by request' },
    disk: disk && claim ? { ...disk, claim } : disk,
    engine: { state: 'unknown', reason: 'no process' },
    down: null,
  };
}

function promoted(nodes: Map<NodeId, NodeView>, winner: NodeId, loser: NodeId): void {
  const old = nodes.get(loser);
  const told = peersOf(nodes.get(winner)).find(({ id }) => id === loser)?.slots ?? [];
  const slots = old?.engine.state === 'answering' ? old.engine.slots : told;
  change(nodes, winner, { role: 'primary', primaryId: null, slots, configEpoch: nextEpoch(nodes) });
  change(nodes, loser, { role: 'replica', primaryId: winner, slots: [], linkUp: true, linkDownSeconds: 0 });
}

/** All of them, in one go. */
function slotsMoved(nodes: Map<NodeId, NodeView>, source: NodeId, { moves }: StepArgs['move_slots']): void {
  const owned = (id: NodeId): SlotRange[] => {
    const engine = nodes.get(id)?.engine;
    return engine?.state === 'answering' ? [...engine.slots] : [];
  };
  for (const { to, slots } of moves) {
    const taken = [...slotsIn([...owned(to), ...slots])].sort((a, b) => a - b);
    change(nodes, source, { slots: withoutSlots(owned(source), slots) });
    change(nodes, to, { slots: rangesOf(taken), configEpoch: nextEpoch(nodes) });
  }
}

/** Lets everyone know what everyone is: acquaintance is mutual, and a dead node is remembered as it was. */
function gossiped(database: Database, nodes: ReadonlyMap<NodeId, NodeView>): Map<NodeId, NodeView> {
  const everyPeer = [...nodes.values()].flatMap(peersOf);
  const slots = [...nodes.values()].flatMap(({ engine }) => (engine.state === 'answering' ? engine.slots : []));
  const result = new Map<NodeId, NodeView>();
  for (const [id, node] of nodes) {
    if (node.engine.state !== 'answering') {
      result.set(id, node);
      continue;
    }
    const known = new Set([
      ...peersOf(node).map((peer) => peer.id),
      ...[...nodes].filter(([, other]) => peersOf(other).some((peer) => peer.id === id)).map(([otherId]) => otherId),
    ]);
    known.delete(id);
    const peers = [...known].map((peer) => describePeer(database, nodes, peer, everyPeer));
    result.set(id, {
      ...node,
      engine: {
        ...node.engine,
        peers,
        keys: copiedKeys(node.engine, nodes),
        streamedBytes: isLinked(node.engine, nodes) ? 1 : node.engine.streamedBytes,
        clusterOk: true,
        slotsOk: Math.min(SLOT_COUNT, countSlots(slots)),
        offset: isLinked(node.engine, nodes) ? SYNCED_OFFSET : node.engine.offset,
        replicas: followers(database, nodes, id),
      },
    });
  }
  return result;
}

/** Any offset that shows history. */
const SYNCED_OFFSET = 100;

const isLinked = (engine: AnsweringEngine, nodes: ReadonlyMap<NodeId, NodeView>): boolean =>
  engine.role === 'primary' || nodes.get(engine.primaryId ?? '')?.engine.state === 'answering';

/** A replica has what its primary has: also nothing, when the primary came back empty. */
function copiedKeys(engine: AnsweringEngine, nodes: ReadonlyMap<NodeId, NodeView>): number {
  const primary = engine.primaryId ? nodes.get(engine.primaryId)?.engine : undefined;
  return primary?.state === 'answering' ? primary.keys : engine.keys;
}

function describePeer(
  database: Database,
  nodes: ReadonlyMap<NodeId, NodeView>,
  id: NodeId,
  remembered: readonly PeerView[],
): PeerView {
  const engine = nodes.get(id)?.engine;
  const place = database.nodes.find((node) => node.id === id);
  const memory = remembered.find((peer) => peer.id === id && peer.role !== undefined);
  const alive = engine?.state === 'answering' ? engine : null;
  const facts = alive ?? memory;
  return {
    id,
    host: place?.host ?? memory?.host ?? '',
    port: place?.port ?? memory?.port ?? 0,
    role: facts?.role ?? 'primary',
    primaryId: facts?.primaryId ?? null,
    slots: ownedNow(facts, nodes),
    configEpoch: facts?.configEpoch ?? 0,
    met: true,
    failed: alive === null,
    linkUp: alive !== null,
  };
}

/** What a node was last known to own, unless a living primary with a higher epoch owns it now. */
function ownedNow(
  facts: PeerView | AnsweringEngine | undefined,
  nodes: ReadonlyMap<NodeId, NodeView>,
): readonly SlotRange[] {
  if (facts?.role !== 'primary') return [];
  const taken = [...nodes.values()].some(
    ({ engine }) =>
      engine.state === 'answering' &&
      engine.role === 'primary' &&
      engine.configEpoch > facts.configEpoch &&
      engine.slots.some(([from]) => facts.slots.some(([first, last]) => from >= first && from <= last)),
  );
  return taken ? [] : facts.slots;
}

const followers = (database: Database, nodes: ReadonlyMap<NodeId, NodeView>, primary: NodeId) =>
  database.nodes
    .filter(({ id }) => {
      const engine = nodes.get(id)?.engine;
      return engine?.state === 'answering' && engine.role === 'replica' && engine.primaryId === primary;
    })
    .map(({ host, port }) => ({ host, port, online: true, ackedOffset: 1, ackAgeSeconds: 0 }));
