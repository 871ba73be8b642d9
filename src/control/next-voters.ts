/**
 * Who votes next. One voter comes, goes or moves at a time, and only when the present list is held by a majority of it:
 * so two majorities of lists that are in use have a member in common.
 *
 * A machine that was told of no list with enough voters goes on without a lease. So it is taken over from only when it
 * has confirmed one (`leased`), and before there are too few voters for leases, nobody is taken over from any more.
 */
import { byName } from '../domain/ids.ts';
import { FEWEST_VOTERS, majorityOf, type Voter, type VoterList } from '../domain/roster.ts';

/** A machine of the fleet. */
export interface Member {
  machine: string;
  /** Where its agent answers others; null while that is not known: as a voter it stays where it was. */
  at: Pick<Voter, 'address' | 'port'> | null;
}

/**
 * The list after the present one; null when that stays, or is not held by enough yet.
 * @param members who is not one of them was removed, and is not waited for where that would be for ever
 * @param confirmed machines that have the present list on disk
 */
export function nextVoters(
  present: VoterList,
  members: readonly Member[],
  confirmed: ReadonlySet<string>,
): VoterList | null {
  if (!isHeld(present.voters, members, confirmed)) return null;
  const { voters } = present;
  const next =
    moved(voters, members) ??
    (voters.length > FEWEST_VOTERS ? removed(voters, members) : null) ??
    added(voters, members) ??
    removed(voters, members) ??
    leased(voters, confirmed);
  return next && { version: present.version + 1, voters: next };
}

/** Under a list with so few nobody takes over, so it may be followed by any other. */
function isHeld(voters: readonly Voter[], members: readonly Member[], confirmed: ReadonlySet<string>): boolean {
  if (voters.length < FEWEST_VOTERS) return true;
  const names = new Set(members.map(({ machine }) => machine));
  const staying = voters.filter(({ machine }) => names.has(machine));
  const needed = Math.min(majorityOf(voters.length), staying.length);
  return staying.filter(({ machine }) => confirmed.has(machine)).length >= needed;
}

function moved(voters: readonly Voter[], members: readonly Member[]): Voter[] | null {
  for (const { machine, at } of members) {
    const index = voters.findIndex((voter) => voter.machine === machine);
    const voter = voters[index];
    if (!voter || !at || (voter.address === at.address && voter.port === at.port)) continue;
    return voters.with(index, { ...voter, ...at });
  }
  return null;
}

function added(voters: readonly Voter[], members: readonly Member[]): Voter[] | null {
  const known = new Set(voters.map(({ machine }) => machine));
  for (const { machine, at } of members) {
    if (!at || known.has(machine)) continue;
    return [...voters, { machine, ...at, leased: false }].sort((a, b) => byName(a.machine, b.machine));
  }
  return null;
}

function removed(voters: readonly Voter[], members: readonly Member[]): Voter[] | null {
  const names = new Set(members.map(({ machine }) => machine));
  const index = voters.findIndex(({ machine }) => !names.has(machine));
  if (index === -1) return null;
  const isLast = voters.length === FEWEST_VOTERS;
  if (isLast && voters.some((voter) => voter.leased)) return voters.map((voter) => ({ ...voter, leased: false }));
  return voters.toSpliced(index, 1);
}

function leased(voters: readonly Voter[], confirmed: ReadonlySet<string>): Voter[] | null {
  const isNew = (voter: Voter): boolean => !voter.leased && confirmed.has(voter.machine);
  if (voters.length < FEWEST_VOTERS || !voters.some(isNew)) return null;
  return voters.map((voter) => (isNew(voter) ? { ...voter, leased: true } : voter));
}
