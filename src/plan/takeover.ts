/** The manual override: another takes the place of a primary that nobody hears of, because a person says that its machine is off. */
import { type Database, shardNames } from '../domain/database.ts';
import { ValkeeperError } from '../domain/errors.ts';
import { type NodeId, shortId } from '../domain/ids.ts';
import { requiredAcknowledgements } from '../domain/spec.ts';
import { counted } from '../domain/template.ts';
import type { DatabaseView } from '../domain/view.ts';
import { bestCandidate, isCurrent, promotionMode, unheardCopies } from './failover.ts';
import { namedCopy } from './switchover.ts';
import { type Member, memberOf, type ShardTopology, shardTopology } from './topology.ts';

/** How long a promotion is tried on the strength of what was said, in milliseconds: longer, and it may not be true any more. */
const TAKEOVER_MS = 60_000;

export interface TakeoverWish {
  /** A machine, or the beginning of a node's id; without it the copy with the most history. */
  to?: string | undefined;
  /** The machine of the shard's primary is off, or cut off for certain. */
  machineIsOff: boolean;
  /** So are these. */
  alsoOff: readonly string[];
  /** Even if acknowledged writes are lost. */
  loseAcknowledged: boolean;
}

/** Who takes whose place. */
export interface Takeover {
  shard: string;
  from: NodeId;
  to: NodeId;
  mode: 'force' | 'takeover';
}

/**
 * What a takeover would do.
 * @throws shard_not_found, copy_not_found, machine_not_found, takeover_refused, and takeover_unconfirmed, which states
 * what may be lost and the exact override
 */
export function takeoverOf(database: Database, view: DatabaseView, shard: string, wish: TakeoverWish): Takeover {
  const { name } = database;
  const refused = (reason: string): ValkeeperError => new ValkeeperError('takeover_refused', { name, shard, reason });
  const names = shardNames(database);
  if (!names.includes(shard)) throw new ValkeeperError('shard_not_found', { name, shard, shards: names.join(', ') });
  const topology = shardTopology(database, view, shard);
  const { owner, members } = topology;
  if (!owner) throw refused('nobody that answers knows who its primary is');
  const { id, machine } = owner.assignment;
  if (owner.engine) throw refused(`it answers; \`valkeeper shard switchover ${name} ${shard}\` loses nothing`);
  const isAway = isUnheard(owner);
  if (!isAway)
    throw refused(`the agent of ${machine} answers and knows what became of it: there is nothing to override`);
  for (const other of wish.alsoOff) refuseHeard(view, other, refused);
  const heir = wish.to === undefined ? bestCandidate(topology) : namedCopy(database, members, shard, wish.to);
  if (!heir) throw refused('no copy that answers has data of its primary to go on with');
  if (heir === owner) throw refused(`${shortId(id)} is the one whose place is to be taken`);
  if (bestCandidate(topology, heir.assignment.id) !== heir) {
    throw refused(`${shortId(heir.assignment.id)} does not answer, or has no data of its primary to go on with`);
  }
  const silent = silentMachines(database, view, heir).filter((one) => one !== machine && !wish.alsoOff.includes(one));
  const how = promotionMode(database, view, heir, new Set([machine, ...wish.alsoOff, ...silent]));
  if ('refused' in how) throw refused(how.refused);
  const needed = how.mode === 'force' ? [] : silent;
  const losses = lossesOf(database, topology, heir);
  if (!wish.machineIsOff || needed.length > 0 || (losses.length > 0 && !wish.loseAcknowledged)) {
    throw unconfirmed(database, owner, heir, { ...wish, alsoOff: [...wish.alsoOff, ...needed] }, losses);
  }
  return { shard, from: id, to: heir.assignment.id, mode: how.mode };
}

/** Neither the node nor its agent is heard of. */
const isUnheard = ({ engine, view: { process } }: Member): boolean =>
  engine === null && (process.state === 'unknown' || process.state === 'off');

function refuseHeard({ machines }: DatabaseView, name: string, refused: (reason: string) => Error): void {
  const machine = machines.find((one) => one.name === name);
  if (!machine) throw new ValkeeperError('machine_not_found', { name });
  if (machine.connected) throw refused(`${name} is not off: its agent answers`);
}

/** Machines of primaries that nobody hears of. */
function silentMachines(database: Database, view: DatabaseView, { engine }: Member): string[] {
  const owners = new Set(engine!.peers.filter(({ slots }) => slots.length > 0).map(({ id }) => id));
  const members = database.nodes.filter(({ id }) => owners.has(id)).map((node) => memberOf(node, view));
  return [...new Set(members.filter(isUnheard).map(({ assignment }) => assignment.machine))];
}

/** Which acknowledged writes the heir may lack, in sentences. */
function lossesOf({ spec }: Database, shard: ShardTopology, heir: Member): string[] {
  const unheard = unheardCopies(shard, requiredAcknowledgements(spec), true);
  const best = bestCandidate(shard)!;
  const behind = best.engine!.offset - heir.engine!.offset;
  const short = shortId(heir.assignment.id);
  return [
    ...(unheard ? [`Of its copies ${unheard}: acknowledged writes that only the others have are lost.`] : []),
    ...(behind > 0
      ? [`${short} is ${counted(behind, 'byte')} behind ${shortId(best.assignment.id)}: they are lost.`]
      : []),
    ...(isCurrent(heir)
      ? []
      : [`${short} was started anew and has had nothing of its primary since: all that it missed is lost.`]),
  ];
}

function unconfirmed(
  { name }: Database,
  { assignment: { id, shard, machine } }: Member,
  heir: Member,
  { to, alsoOff }: TakeoverWish,
  losses: readonly string[],
): ValkeeperError {
  const machines = [machine, ...alsoOff].join(' and ');
  const consequences = [
    `If ${shortId(id)} still runs on ${machine} and clients reach it, what it acknowledges from now on is lost.`,
    `When ${machine} comes back, the data of ${shortId(id)} is replaced by that of ${shortId(heir.assignment.id)} on ${heir.assignment.machine}.`,
    ...alsoOff.map(
      (other) => `${other} is not heard of either, and must be off, too: else two could become primary of ${shard}.`,
    ),
    ...losses,
  ];
  const flags = [
    ...(to === undefined ? [] : [`--to ${to}`]),
    '--machine-is-off',
    ...alsoOff.map((other) => `--also-off ${other}`),
    ...(losses.length > 0 ? ['--lose-acknowledged'] : []),
  ];
  const command = `valkeeper shard takeover ${name} ${shard} ${flags.join(' ')}`;
  const params = { name, shard, machines, consequences: consequences.join(' '), command };
  return new ValkeeperError('takeover_unconfirmed', params);
}

/** The record with what was said, which counts from now on. */
export function withOverride(database: Database, { from, to }: Takeover, wish: TakeoverWish, now: number): Database {
  const { alsoOff, loseAcknowledged } = wish;
  const said = { at: now, until: now + TAKEOVER_MS, to, alsoOff, loseAcknowledged };
  return { ...database, overridden: { ...database.overridden, [from]: said } };
}
