/** What is wrong: from the wish and the view to problems, most urgent first. The same input gives the same list. */
import { type Database, type NodeAssignment, shardNames, specNow } from '../domain/database.ts';
import { type NodeId, placeholderOf, shortId } from '../domain/ids.ts';
import type { Breach } from '../domain/placement.ts';
import { isLoopback } from '../domain/plain-text.ts';
import { isLoading } from '../domain/restore.ts';
import { FEWEST_VOTERS } from '../domain/roster.ts';
import { formatSize } from '../domain/size.ts';
import { formatSlots, SLOT_COUNT, sharedSlots } from '../domain/slots.ts';
import { ANY_PORT } from '../domain/spec.ts';
import { counted } from '../domain/template.ts';
import { type DatabaseView, isFilling, type PeerView, type PulseState } from '../domain/view.ts';
import { archiveProblems } from './archive.ts';
import { capacityProblems } from './capacity.ts';
import { countProblems, leftovers } from './copies.ts';
import { damageProblems } from './damage.ts';
import { endpointProblem } from './endpoints.ts';
import { layoutOf, machinesFor } from './layout.ts';
import { isShutOut } from './overridden.ts';
import { describeRemedy } from './placement/advice.ts';
import { judge, type Verdict } from './placement/judge.ts';
import { reservedBytesPerNode } from './placement.ts';
import { byUrgency, type Problem, type ProblemCode } from './problems.ts';
import { reshardProblems } from './reshard.ts';
import { restoreProblems } from './restore.ts';
import { differingNames, hasUsers, settingsDifference } from './settings.ts';
import { isInSync, type Member, memberOf, nodeIds, nodesById, type ShardTopology, shardTopology } from './topology.ts';

/** The problems that hold in this view. */
export function diagnose(database: Database, view: DatabaseView): Problem[] {
  if (database.deleting) return [{ code: 'database_unwanted', params: {} }];
  const shards = shardNames(database).map((name) => shardTopology(database, view, name));
  return [
    ...shards.flatMap((shard) => shardProblems(database, shard)),
    ...shards.flatMap((shard) => countProblems(database, shard, view)),
    ...restoreProblems(database, view),
    ...archiveProblems(database, view),
    ...reshardProblems(database, shards),
    ...leftovers(database),
    ...pulseProblems(database.nodes, view),
    ...membershipProblems(database, view),
    ...damageProblems(database, view),
    ...capacityProblems(database, view),
    ...settingsProblems(database, view),
    ...usersProblems(database, view),
    ...wishProblems(database, shards, view),
    ...placementProblems(database, shards, view),
    ...machineProblems(database, view),
    ...endpointProblems(database, view),
    ...plainTextProblems(database),
    ...takeoverProblems(database, view),
    ...(database.spec.auth ? [] : [{ code: 'open_to_all', params: {} } as const]),
  ].sort(byUrgency);
}

/** Whether a shard is served and its nodes run. */
export const diagnoseShard = (database: Database, view: DatabaseView, shard: string): Problem[] =>
  shardProblems(database, shardTopology(database, view, shard)).sort(byUrgency);

/** A problem of one node, with the placeholders every such message may use. */
function about(code: ProblemCode, { id, shard, machine }: NodeAssignment, params: Problem['params'] = {}): Problem {
  return { code, node: id, shard, machine, params: { node: shortId(id), shard, machine, ...params } };
}

const reasonOf = ({ view }: Member): string => (view.engine.state === 'unknown' ? view.engine.reason : 'answers');

function shardProblems(database: Database, shard: ShardTopology): Problem[] {
  if (shard.isEmpty && !shard.owner) return headless(shard);
  const owner = shard.owner ?? birthOwner(database, shard);
  const problems: Problem[] = shard.members
    .filter(({ view, assignment }) => view.engine.state === 'answering' && view.engine.id !== assignment.id)
    .map(({ view, assignment }) =>
      about('identity_changed', assignment, { found: view.engine.state === 'answering' ? view.engine.id : '' }),
    );
  if (!owner) return [...problems, ownerless(shard)];
  problems.push(...ownerProblems(shard, owner));
  for (const member of shard.members) {
    if (member !== owner) problems.push(...copyProblems(database, shard, owner, member));
  }
  return problems;
}

/** A shard without slots, of which nobody is the primary: one is made it, or started. Nothing can be lost by that. */
function headless({ members }: ShardTopology): Problem[] {
  const able = members.find(({ engine }) => engine !== null && !engine.loading);
  if (able) return [about('head_missing', able.assignment)];
  return members.flatMap(({ assignment, dead, view: { process } }) => {
    if (!dead) return [];
    return [about(process.state === 'absent' ? 'node_missing' : 'shard_down', assignment)];
  });
}

/** Nobody is known to own the shard's slots: because nobody does, or because those who would know are out of reach. */
function ownerless({ name, members }: ShardTopology): Problem {
  const code = members.every(({ engine, dead }) => engine || dead) ? 'slots_unserved' : 'shard_unknown';
  const births = members.flatMap(({ assignment: { birth } }) => (birth.role === 'primary' ? birth.slots : []));
  return { code, shard: name, params: { shard: name, slots: formatSlots(births) } };
}

/** Before anyone owned the shard's slots: the node that was assigned to be born with them. */
function birthOwner(database: Database, shard: ShardTopology): Member | null {
  if (database.observedGeneration > 0) return null;
  return shard.members.find(({ assignment }) => assignment.birth.role === 'primary') ?? null;
}

function ownerProblems(shard: ShardTopology, owner: Member): Problem[] {
  const { assignment, engine, view } = owner;
  if (engine) {
    const unborn = engine.role === 'replica' && engine.primaryId === placeholderOf(assignment.id) && !engine.loading;
    return unborn ? [about('primary_unborn', assignment)] : [];
  }
  if (view.engine.state === 'answering') return []; // identity_changed says it
  if (owner.dead) {
    if (view.process.state === 'absent' && shard.owner === null) return [about('node_missing', assignment)];
    const othersRun = shard.members.some((member) => member !== owner && !member.dead);
    return [about(othersRun ? 'primary_dead' : 'shard_down', assignment)];
  }
  if (view.process.state === 'running') return [about('primary_unresponsive', assignment, { reason: reasonOf(owner) })];
  return [about('primary_unreachable', assignment)];
}

function copyProblems(database: Database, shard: ShardTopology, owner: Member, member: Member): Problem[] {
  const { assignment, engine, view } = member;
  const other = shortId(owner.assignment.id);
  const isReplaced = isShutOut(database, member) && owner.engine?.role === 'primary';
  const shut = isReplaced ? [about('node_overridden', assignment, { other })] : [];
  if (isReplaced && (engine || view.process.state !== 'exited')) return shut;
  if (!engine) {
    const { state } = view.process;
    if (view.engine.state === 'answering' || state === 'unknown' || state === 'off') return [];
    if (view.process.state === 'absent') return [about('node_missing', assignment)];
    if (view.process.state === 'exited') return [...shut, about('replica_down', assignment)];
    return [about('node_unresponsive', assignment, { reason: reasonOf(member) })];
  }
  if (engine.role === 'primary' && engine.slots.length > 0) {
    const slots = formatSlots(sharedSlots(engine.slots, shard.slots));
    return [about('slots_claimed_twice', assignment, { other, slots })];
  }
  if (owner.engine?.role !== 'primary') return [];
  if (engine.role === 'primary' && engine.keys > 0) {
    return [about('primary_orphaned', assignment, { other, keys: counted(engine.keys, 'key') })];
  }
  if (engine.primaryId !== owner.assignment.id) return [about('replica_unattached', assignment, { other })];
  return isInSync(member, owner) ? [] : [about('replica_syncing', assignment)];
}

/** A newborn primary has nothing to say to others until it has taken its slots. */
const isUnborn = ({ assignment, engine }: Member): boolean => engine?.primaryId === placeholderOf(assignment.id);

const PULSE_PROBLEMS: Partial<Record<PulseState, ProblemCode>> = {
  stopped: 'node_stopped',
  hung: 'node_hung',
  disk: 'node_disk_slow',
  busy: 'node_busy',
  silent: 'node_silent',
};

/** What their agents say of processes that run and give no sign of life. */
function pulseProblems(nodes: readonly NodeAssignment[], view: DatabaseView): Problem[] {
  return nodes.flatMap((node) => {
    const code = PULSE_PROBLEMS[view.nodes.get(node.id)?.pulse?.state ?? 'well'];
    return code ? [about(code, node)] : [];
  });
}

function membershipProblems(database: Database, view: DatabaseView): Problem[] {
  const ids = nodeIds(database);
  const members = database.nodes.map((node) => memberOf(node, view));
  const present = presentMembers(database, view);
  const known = new Map(present.map((member) => [member.assignment.id, member]));
  const problems: Problem[] = [];
  let behind = 0;
  for (const member of present) {
    const { strangers, metAll, isBehind } = acquaintanceOf(member, known, ids);
    const owners = strangers.filter((peer) => peer.slots.length > 0);
    for (const peer of owners) {
      problems.push(
        about('foreign_slot_owner', member.assignment, { other: shortId(peer.id), slots: formatSlots(peer.slots) }),
      );
    }
    const harmless = strangers.filter((peer) => peer.slots.length === 0);
    if (harmless.length > 0) {
      const others = harmless.map((peer) => shortId(peer.id)).join(', ');
      problems.push(about('stranger_known', member.assignment, { others }));
    }
    const unmet = metAll ? [] : unmetPeers(member, present);
    if (unmet.length > 0)
      problems.push(about('nodes_unacquainted', member.assignment, { others: counted(unmet.length, 'other node') }));
    if (isBehind) behind += 1;
  }
  const complete = present.length === members.length && problems.length === 0;
  if (complete && behind > 0) problems.push({ code: 'news_spreading', params: { count: behind } });
  return problems;
}

interface Acquaintance {
  /** Met, and not of this database. */
  strangers: PeerView[];
  /** As `unmetPeers` finds none. */
  metAll: boolean;
  /** It does not see all slots served, or takes another for something else than that one says it is. */
  isBehind: boolean;
}

/** How a node knows the others, found in one go: as a rule every node knows every other, and this is most of a look. */
function acquaintanceOf(
  { engine }: Member,
  known: ReadonlyMap<NodeId, Member>,
  ids: ReadonlySet<NodeId>,
): Acquaintance {
  const strangers: PeerView[] = [];
  let met = 0;
  let isBehind = !engine!.clusterOk || engine!.slotsOk < SLOT_COUNT;
  for (const peer of engine!.peers) {
    const other = known.get(peer.id);
    if (other === undefined) {
      if (peer.met && !ids.has(peer.id)) strangers.push(peer);
      continue;
    }
    const { assignment, engine: itself } = other;
    if (peer.met && peer.host === assignment.host && peer.port === assignment.port) met += 1;
    if (peer.role !== itself!.role || peer.primaryId !== itself!.primaryId) isBehind = true;
  }
  return { strangers, metAll: met === known.size - 1, isBehind };
}

/** The present members that this one has not met, or knows at an address where they no longer are. */
export function unmetPeers(member: Member, present: readonly Member[]): NodeAssignment[] {
  const met = new Map(member.engine?.peers.filter((peer) => peer.met).map((peer) => [peer.id, peer]));
  return present
    .filter((other) => other !== member)
    .map((other) => other.assignment)
    .filter(({ id, host, port }) => {
      const peer = met.get(id);
      return !peer || peer.host !== host || peer.port !== port;
    });
}

/** The members that answer, are born, and may be known. */
export const presentMembers = (database: Database, view: DatabaseView): Member[] =>
  database.nodes
    .map((node) => memberOf(node, view))
    .filter((member) => member.engine && !isUnborn(member) && !isShutOut(database, member));

/** Of nodes that answer: one that does not run starts as its disk says, and is changed afterwards. */
function settingsProblems(database: Database, view: DatabaseView): Problem[] {
  return database.nodes.flatMap((node) => {
    const member = memberOf(node, view);
    if (!member.engine) return [];
    const names = differingNames(settingsDifference(specNow(database), member.view));
    return names.length > 0 ? [about('settings_differ', node, { settings: names.join(', ') })] : [];
  });
}

function usersProblems(database: Database, view: DatabaseView): Problem[] {
  return database.nodes
    .map((node) => memberOf(node, view))
    .filter(({ engine, view: seen }) => engine && !hasUsers(database, seen))
    .map(({ assignment }) => about('users_differ', assignment));
}

/** Switchovers that were asked for, and are not too old. */
function wishProblems(database: Database, shards: readonly ShardTopology[], { at }: DatabaseView): Problem[] {
  return shards.flatMap(({ name, owner }) => {
    const wanted = database.wantedPrimaries[name];
    const heir = wanted && nodesById(database.nodes).get(wanted.node);
    if (!wanted || !heir || !owner || owner.assignment === heir || at >= wanted.until) return [];
    return [about('primary_elsewhere', owner.assignment, { other: shortId(heir.id), otherMachine: heir.machine })];
  });
}

/** How its copies lie, by the rules of placement. */
function placementProblems(
  database: Database,
  shards: readonly ShardTopology[],
  { machines }: DatabaseView,
): Problem[] {
  const layout = layoutOf(database, shards, machines);
  return judge(layout, reservedBytesPerNode(specNow(database)), machinesFor(database, machines)).flatMap((verdict) => {
    const remedy = describeRemedy(verdict.remedy);
    if (verdict.rule === 'zones') return zoneProblems(verdict, remedy);
    return verdict.breaches.flatMap((breach) => placementProblem(database, breach, remedy) ?? []);
  });
}

/** Of the whole database at once; where no zone could be spared, it is no problem: see `explain`. */
function zoneProblems({ avoidable, breaches }: Verdict, remedy: string): Problem[] {
  if (!avoidable) return [];
  const names = new Set(breaches.flatMap((breach) => (breach.rule === 'zones' ? [breach.shard] : [])));
  const [first, ...others] = names;
  const shards = others.length === 0 ? first! : `${first} and ${counted(others.length, 'other shard')}`;
  return [{ code: 'zones_shared', params: { shards, remedy } }];
}

function placementProblem({ spec }: Database, breach: Breach, remedy: string): Problem | null {
  switch (breach.rule) {
    case 'apart': {
      const { shard, machine } = breach;
      return { code: 'copies_together', shard, machine, params: { shard, machine, remedy } };
    }
    case 'majority': {
      // Without replicas there is no failover to agree on.
      if (spec.replicas === 0) return null;
      const { machine, primaries } = breach;
      const params = { machine, count: primaries, shards: spec.shards, remedy };
      return { code: 'majority_on_machine', machine, params };
    }
    case 'memory': {
      const { machine, overBytes } = breach;
      const params = { machine, over: formatSize(overBytes), remedy };
      return { code: 'memory_overcommitted', machine, params };
    }
    case 'zones':
      return null;
  }
}

function machineProblems(database: Database, view: DatabaseView): Problem[] {
  const used = new Set(database.nodes.map((node) => node.machine));
  return view.machines.flatMap((machine): Problem[] => {
    const { name, connected, disk } = machine;
    if (!used.has(name)) return [];
    if (!connected) return [{ code: 'machine_lost', machine: name, params: { machine: name } }];
    if (!disk || !isFilling(machine)) return [];
    const [free, total] = [formatSize(disk.freeBytes), formatSize(disk.totalBytes)];
    return [{ code: 'disk_filling', machine: name, params: { machine: name, free, total } }];
  });
}

/** Nodes without TLS at an address that others reach, by machine. */
function plainTextProblems({ nodes }: Database): Problem[] {
  const exposed = nodes.filter(({ host, tls }) => !tls && !isLoopback(host));
  const addresses = new Map(exposed.map(({ machine, host }) => [machine, host]));
  return [...addresses].map(([machine, address]) => ({ code: 'plain_text', machine, params: { machine, address } }));
}

/** Where too few vote; not where all is one host, which is lost as a whole. */
function takeoverProblems({ nodes, spec }: Database, { machines }: DatabaseView): Problem[] {
  const voters = machines.filter(({ state }) => state !== 'removed');
  const isSpread = new Set(nodes.map(({ machine }) => machine)).size > 1;
  const isOneHost = voters.every(({ address }) => isLoopback(address));
  if (spec.replicas === 0 || !isSpread || isOneHost || voters.length >= FEWEST_VOTERS) return [];
  return [{ code: 'no_takeover', params: { count: voters.length } }];
}

/** Any machine's address is to work, whether or not it has nodes of this database. */
function endpointProblems(database: Database, { machines }: DatabaseView): Problem[] {
  const {
    uid,
    spec: { port },
  } = database;
  if (port === ANY_PORT || isLoading(database)) return [];
  return machines.flatMap(({ name, address, endpoint }): Problem[] => {
    const problem = endpointProblem(endpoint, uid, port);
    return problem === null
      ? []
      : [{ code: 'endpoint_closed', machine: name, params: { machine: name, address, port, problem } }];
  });
}
