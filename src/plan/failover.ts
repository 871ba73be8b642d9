/** Who may take a dead primary's place, and how: by the vote of the living primaries, or without a vote when none is possible. */
import type { Database } from '../domain/database.ts';
import type { NodeId } from '../domain/ids.ts';
import type { AnsweringEngine, DatabaseView } from '../domain/view.ts';
import { hasHistory, type Member, memberOf, type ShardTopology } from './topology.ts';

/** A replica takes over the slots that it knows its primary to own, and no others: one that came back a moment ago may know of none. */
const knowsSlotsOf = (candidate: Member, dead: Member): boolean =>
  candidate.engine?.peers.some(({ id, slots }) => id === dead.assignment.id && slots.length > 0) === true;

/**
 * A replica qualifies when it holds data of this primary, is not in the middle of being overwritten by a copy, and
 * knows what there is to take over.
 */
const qualifies = (candidate: Member, dead: Member): boolean =>
  candidate.engine !== null &&
  candidate.engine.role === 'replica' &&
  candidate.engine.primaryId === dead.assignment.id &&
  !candidate.engine.syncInProgress &&
  !candidate.engine.loading &&
  (hasHistory(candidate.engine) || candidate.engine.keys > 0) &&
  knowsSlotsOf(candidate, dead);

/**
 * It has had some of its primary's stream since it was started or copied to: what it lacks is at most what was on its
 * way. One that has had none may have been away for long, or was copied to while writes went on.
 */
export const isCurrent = ({ engine }: Pick<Member, 'engine'>): boolean => engine !== null && engine.streamedBytes > 0;

/** A link that was down for so long before the primary ended lacks more than a restart of the primary costs. */
const BEHIND_S = 10;

/**
 * None of those that could take over has had anything of the primary for so long that the primary's own disk, if that
 * has everything, is to be preferred. What the best of them has is at least what the one has that was linked last.
 * @param at when the shard was looked at
 */
export function areFarBehind(shard: ShardTopology, at: number): boolean {
  const candidates = candidatesOf(shard);
  const since = shard.owner?.view.down?.since ?? at;
  const deadSeconds = Math.max(0, at - since) / 1_000;
  return candidates.length > 0 && candidates.every((copy) => downSeconds(copy) - deadSeconds >= BEHIND_S);
}

const candidatesOf = ({ members, owner }: ShardTopology): Member[] =>
  owner === null ? [] : members.filter((member) => member !== owner && qualifies(member, owner));

const downSeconds = ({ engine }: Member): number => engine!.linkDownSeconds ?? Infinity;

/**
 * The history that the primary wrote last, as far as these know: that of the one whose link went down last. A primary
 * that was started from its log begins a new one, and who was away then counts on in the old one, maybe further.
 */
const latestHistory = (candidates: readonly Member[]): string | undefined =>
  candidates.toSorted((a, b) => downSeconds(a) - downSeconds(b) || b.engine!.offset - a.engine!.offset)[0]?.engine
    ?.history;

/**
 * The current replica with the most of the latest history; of equals the one with the smaller id. Null when none
 * qualifies.
 * @param wanted who comes before all others, if it qualifies
 */
export function bestCandidate(shard: ShardTopology, wanted: NodeId | null = null): Member | null {
  const candidates = candidatesOf(shard);
  const latest = latestHistory(candidates.filter(isCurrent));
  const isLatest = ({ engine }: Member): boolean => engine!.history === latest;
  const ranked = candidates.sort(
    (a, b) =>
      Number(b.assignment.id === wanted) - Number(a.assignment.id === wanted) ||
      Number(isCurrent(b)) - Number(isCurrent(a)) ||
      Number(isLatest(b)) - Number(isLatest(a)) ||
      b.engine!.offset - a.engine!.offset ||
      (a.assignment.id < b.assignment.id ? -1 : 1),
  );
  return ranked[0] ?? null;
}

const NONE: ReadonlySet<string> = new Set();

export type PromotionMode = { mode: 'force' | 'takeover' } | { refused: string };

/**
 * How many copies besides the dead primary must be heard of before one is promoted. A write that was acknowledged by
 * `acknowledgements` of them is then had by at least one that is heard of, and so by the one with the most history.
 */
const neededCopies = (copies: number, acknowledgements: number): number =>
  acknowledgements === 0 ? 1 : Math.max(1, copies - acknowledgements + 1);

/**
 * Why not yet, or null: of too few copies it is known how much they have.
 * @param intact only those count that still have what they had: one that began a full copy, or runs empty, may have lost
 * what it had acknowledged. Not asked for where the dead primary's disk is no better
 */
export function unheardCopies(
  { members, owner }: ShardTopology,
  acknowledgements: number,
  intact: boolean,
): string | null {
  const copies = members.filter((member) => member !== owner);
  const counts = (engine: AnsweringEngine): boolean => !intact || (hasHistory(engine) && !engine.syncInProgress);
  const heard = copies.filter(({ engine }) => engine?.role === 'replica' && !engine.loading && counts(engine)).length;
  const needed = neededCopies(copies.length, acknowledgements);
  if (heard >= needed) return null;
  return `${heard} of ${copies.length} copies answer, and ${needed} must, so that no acknowledged write is missed`;
}

/**
 * How a candidate may be promoted. FORCE needs the votes of a majority of the slot-owning primaries, the dead one
 * counted (`quorum = size / 2 + 1`); one that has never met the dead one does not vote for its replica. Without that
 * majority only a takeover works, and it is safe only when every primary answers or is known to be dead: one that is
 * merely unreachable may still acknowledge writes. Of primaries that are not part of `database` (an agent looks at its
 * own shard only) the candidate's word is taken.
 * @param off machines that are off, somebody said: their nodes count as dead as long as nobody hears of them
 */
export function promotionMode(
  database: Database,
  view: DatabaseView,
  candidate: Member,
  off: ReadonlySet<string> = NONE,
): PromotionMode {
  const owners = (candidate.engine?.peers ?? []).filter((peer) => peer.role === 'primary' && peer.slots.length > 0);
  const members = new Map(database.nodes.map((node) => [node.id, memberOf(node, view)]));
  const serving = owners.filter((owner) => {
    const member = members.get(owner.id);
    return member ? member.engine?.role === 'primary' : owner.linkUp && !owner.failed;
  });
  const voters = serving.filter(({ id }) => {
    const known = members.get(id)?.engine?.peers;
    return known === undefined || known.some((peer) => peer.id === candidate.engine?.primaryId);
  });
  const quorum = Math.floor(owners.length / 2) + 1;
  if (voters.filter(({ linkUp }) => linkUp).length >= quorum) return { mode: 'force' };
  // Who has just been met may not be linked yet: a request for a vote would be lost, and the next one comes seconds later.
  if (voters.length >= quorum) return { refused: 'its links to the primaries that would vote are not up yet' };
  const isOff = ({ assignment, engine, view: { process } }: Member): boolean =>
    off.has(assignment.machine) && engine === null && process.state === 'unknown';
  const doubtful = owners.filter((owner) => {
    const member = members.get(owner.id);
    return !serving.includes(owner) && !(member && (member.dead || isOff(member)));
  });
  if (doubtful.length === 0) return { mode: 'takeover' };
  return {
    refused: `${voters.length} of ${owners.length} primaries can vote, and ${doubtful.length} of the others are not known to be dead`,
  };
}
