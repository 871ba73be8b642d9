/** A primary that died as slots came to it: whether they are its own now, which a replica that lacks their keys cannot tell. */
import type { NodeId } from '../domain/ids.ts';
import type { SlotMigration } from '../domain/reshard.ts';
import { countSlots, sharedSlots, withoutSlots } from '../domain/slots.ts';
import type { Ownership } from '../domain/start-as.ts';
import { answering, type DatabaseView, type NodeView } from '../domain/view.ts';
import type { Member } from './topology.ts';

/** What a node sent before its end is heard by then; a source that still waits was never told. */
const HEARD_MS = 200;

/** The engine's word for a source that has stopped writes to the slots and lets the target take them. */
const GRANTED = 'failover-granted';

/** Jobs whose end this replica has not seen: its primary may have more of the slots' keys. A replica's list names no source. */
const openImports = (migrations: readonly SlotMigration[] = []): SlotMigration[] =>
  migrations.filter(({ side, state }) => side === 'import' && state === 'active');

/**
 * What a dead node claims on its disk to own and living primaries of other shards serve, with the epochs of these: it
 * took slots and ended before anybody had heard of it. Their source has gone on serving them since; by the later epoch of
 * the claim it would lose what it took meanwhile. `undecided`: what the dead node sent may yet be heard. Where anybody has
 * heard of it, the engines settle it among themselves.
 */
export function servedElsewhere({ assignment, view }: Member, { nodes, at }: DatabaseView): Ownership[] | 'undecided' {
  const claim = view.disk?.claim;
  if (claim?.role !== 'primary') return [];
  const engines = [...nodes.values()].flatMap((node) => answering(node) ?? []);
  const heard = engines.flatMap(({ peers }) => peers.find(({ id }) => id === assignment.id)?.slots ?? []);
  const others = engines.flatMap(({ id, role, slots, configEpoch }): Ownership[] => {
    if (role !== 'primary' || id === assignment.id) return [];
    const shared = withoutSlots(sharedSlots(slots, claim.slots), heard);
    return shared.length > 0 ? [{ id, slots: shared, configEpoch }] : [];
  });
  const since = view.down?.since ?? -Infinity;
  return others.length > 0 && at - since < HEARD_MS ? 'undecided' : others;
}

/** Why nothing is done for a moment. */
export const mayBeItsOwn = ({ assignment }: Member): string => `the slots that came to ${assignment.id} may be its own`;

/** Who has slots that are on the way to this replica's primary, as far as the replica knows. */
export function sourcesOfImports({ engine, migrations }: NodeView): NodeId[] {
  if (engine.state !== 'answering') return [];
  const coming = openImports(migrations).flatMap(({ slots }) => slots);
  const sources = engine.peers.filter(
    ({ id, slots }) => id !== engine.primaryId && sharedSlots(slots, coming).length > 0,
  );
  return sources.map(({ id }) => id);
}

/**
 * Whether slots came to a dead primary whose end of the transfer this replica has not seen: it lacks keys of them, and its
 * primary's log may be the only place that has them.
 * `none` there are none, or their source goes on serving them;
 * `undecided` the source has let them be taken, and may yet hear that they were;
 * `taken` the source serves them no more, or does not answer.
 */
export function unfinishedImport(replica: Member, dead: Member, view: DatabaseView): 'none' | 'undecided' | 'taken' {
  const states = openImports(replica.view.migrations).map((job) => stateOf(job, replica, dead, view));
  return states.find((state) => state === 'taken') ?? states.find((state) => state === 'undecided') ?? 'none';
}

function stateOf(job: SlotMigration, replica: Member, dead: Member, { nodes, at }: DatabaseView) {
  const sources = sourcesOfImports({ ...replica.view, migrations: [job] }).map((id) => nodes.get(id));
  const [source] = sources;
  const engine = source && answering(source);
  if (!engine || countSlots(sharedSlots(engine.slots, job.slots)) < countSlots(job.slots)) return 'taken';
  const isGranted = source.migrations?.some(({ name, phase }) => name === job.name && phase === GRANTED);
  return isGranted && at - (dead.view.down?.since ?? at) < HEARD_MS ? 'undecided' : 'none';
}
