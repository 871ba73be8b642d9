/** How well a database lies: which hard rules are broken, whether that could be avoided, and by what. */
import type { Breach, HardRule, Remedy } from '../../domain/placement.ts';
import type { MachineView } from '../../domain/view.ts';
import { whatToAdd } from './addition.ts';
import { type Attainable, attainable } from './bounds.ts';
import { bestAnswer } from './further.ts';
import { answersFor, type Layout, nodesByMachine, type PlacedCopy, type Survey, surveyOf } from './layout.ts';
import { crowdedMachine, levelled, type Seat, switchesFrom } from './primaries.ts';
import { type Fleet, fleetOf, openRooms } from './rooms.ts';

export interface Verdict {
  rule: HardRule;
  breaches: Breach[];
  /**
   * With breaches: it could be broken less by other primaries, by one copy on another machine, or by placing the whole
   * database anew, its own memory given back, on the machines that may take new nodes.
   */
  avoidable: boolean;
  /** Null when the rule holds, and when nothing that is known of would help. */
  remedy: Remedy | null;
}

interface Case {
  layout: Layout;
  survey: Survey;
  /** The fleet without the database's own nodes. */
  emptied: Fleet;
  /** The best that placing it anew could come to. */
  best: Attainable;
}

/**
 * A verdict for each hard rule. Copies that do not count are left out where copies are to be apart, not where they are
 * primaries or take memory.
 * @param layout all copies of the database, each of which is reserved for on its machine
 */
export function judge(layout: Layout, nodeBytes: number, machines: readonly MachineView[]): Verdict[] {
  const fleet = fleetOf(machines, nodeBytes);
  const emptied = fleetOf(machines, nodeBytes, nodesByMachine(layout.copies));
  const survey = surveyOf(layout, fleet);
  const best = attainable(openRooms(emptied), layout.shape, emptied.together);
  const about: Case = { layout, survey, emptied, best };
  return [apart(about), zones(about), majority(about), memory(about)];
}

/** All of it is where it could have been placed anew: nothing is better than the best. */
const isPlacedAnew = ({ layout, survey, best }: Case): boolean =>
  best.missing === 0 && layout.copies.every(({ machine }) => survey.roomOf.get(machine)?.closed === null);

const isPlaceable = ({ missing }: Attainable): boolean => missing === 0;

/** The copies of a shard that count. */
const counting = (copies: readonly PlacedCopy[]): PlacedCopy[] => copies.filter(({ counts }) => counts);

function apart(about: Case): Verdict {
  const { copiesOf } = about.survey;
  const breaches = [...copiesOf].flatMap(([shard, all]) =>
    [...nodesByMachine(counting(all))]
      .filter(([, copies]) => copies > 1)
      .map(([machine, copies]) => ({ rule: 'apart', shard, machine, copies }) as const),
  );
  const remedy = (): Remedy | null => {
    if (about.emptied.together === 2) return null;
    const move = firstMove(breaches, (breach) => moveOf(about, breach.shard, countsAnd(onMachine(breach.machine))));
    return move ?? (about.best.missing === 0 ? { kind: 'rearrange' } : null);
  };
  return verdict({ ...about, emptied: { ...about.emptied, together: 1 } }, 'apart', breaches, remedy, isPlaceable);
}

function zones(about: Case): Verdict {
  const { copiesOf, roomOf } = about.survey;
  const breaches: Extract<Breach, { rule: 'zones' }>[] = [];
  let sharing = 0;
  for (const [shard, all] of copiesOf) {
    const inZones = new Map<string, number>();
    for (const { machine } of counting(all)) {
      const zone = roomOf.get(machine)?.zone;
      if (zone !== undefined) inZones.set(zone, (inZones.get(zone) ?? 0) + 1);
    }
    for (const [zone, copies] of inZones) {
      if (copies > 1) breaches.push({ rule: 'zones', shard, zone, copies });
      sharing += copies - 1;
    }
  }
  const inZone = (zone: string) => (copy: PlacedCopy) => roomOf.get(copy.machine)?.zone === zone;
  const remedy = (): Remedy | null => {
    if (isPlacedAnew(about) && sharing <= about.best.sharing) return null;
    const move = firstMove(breaches, ({ shard, zone }) => moveOf(about, shard, countsAnd(inZone(zone)), true));
    const { missing, sharing: least } = about.best;
    return move ?? (missing === 0 && least < sharing ? { kind: 'rearrange' } : null);
  };
  return verdict(about, 'zones', breaches, remedy, (best) => best.missing + best.sharing === 0);
}

function majority(about: Case): Verdict {
  const { copiesOf, roomOf } = about.survey;
  const names = [...copiesOf.keys()];
  const seats = names.map((shard): Seat => {
    const all = copiesOf.get(shard)!;
    const able = counting(all).filter(({ machine }) => roomOf.get(machine)?.closed !== 'away');
    return {
      primary: all.find(({ primary }) => primary)?.machine ?? null,
      copies: able.map(({ machine }) => machine),
    };
  });
  const crowded = crowdedMachine(seats);
  const remedy = (): Remedy | null => {
    const { machine } = crowded!;
    const [first] = crowdedMachine(levelled(seats)) ? [] : (switchesFrom(seats, machine) ?? []);
    if (first) {
      return { kind: 'switch_over', shard: names[first.seat]!, from: seats[first.seat]!.primary!, to: first.to };
    }
    return about.best.missing === 0 && !about.best.majority ? { kind: 'rearrange' } : null;
  };
  const breaches = crowded ? [{ rule: 'majority', machine: crowded.machine, primaries: crowded.count } as const] : [];
  return verdict(about, 'majority', breaches, remedy, (best) => best.missing === 0 && !best.majority);
}

function memory(about: Case): Verdict {
  const { nodesOn, roomOf } = about.survey;
  const breaches = [...nodesOn.keys()].flatMap((machine) => {
    const { reservedBytes = 0, memoryBytes = 0 } = roomOf.get(machine) ?? {};
    const overBytes = reservedBytes - memoryBytes;
    return overBytes > 0 ? [{ rule: 'memory', machine, overBytes } as const] : [];
  });
  const remedy = (): Remedy | null => {
    const move = firstMove(breaches, ({ machine }) => {
      const here = about.layout.copies.filter(onMachine(machine));
      return firstMove(here, ({ shard }) => moveOf(about, shard, onMachine(machine)));
    });
    return move ?? (about.best.missing === 0 ? { kind: 'rearrange' } : null);
  };
  return verdict(about, 'memory', breaches, remedy, isPlaceable);
}

function verdict(
  { layout, emptied }: Case,
  rule: HardRule,
  breaches: Breach[],
  remedy: () => Remedy | null,
  isEnough: (best: Attainable) => boolean,
): Verdict {
  if (breaches.length === 0) return { rule, breaches, avoidable: false, remedy: null };
  const found = remedy();
  if (found) return { rule, breaches, avoidable: true, remedy: found };
  const add = whatToAdd(emptied, layout.shape, isEnough);
  return {
    rule,
    breaches,
    avoidable: false,
    remedy: add && { kind: 'add', add, back: backAgain(emptied, layout, isEnough) },
  };
}

/** Machines that are away, each of which would be enough if it came back. */
function backAgain({ rooms, nodeBytes, together }: Fleet, { shape }: Layout, isEnough: (best: Attainable) => boolean) {
  const open = rooms.filter(({ closed }) => closed === null);
  return rooms
    .filter(({ closed }) => closed === 'away')
    .filter(({ zone, memoryBytes, reservedBytes }) => {
      const fits = Math.max(0, Math.floor((memoryBytes - reservedBytes) / nodeBytes));
      return isEnough(attainable([...open, { zone, fits }], shape, together));
    })
    .map(({ machine }) => machine);
}

const onMachine =
  (name: string) =>
  (copy: PlacedCopy): boolean =>
    copy.machine === name;

const countsAnd =
  (mayGo: (copy: PlacedCopy) => boolean) =>
  (copy: PlacedCopy): boolean =>
    copy.counts && mayGo(copy);

function firstMove<T>(cases: readonly T[], moveFor: (one: T) => Remedy | null): Remedy | null {
  for (const one of cases) {
    const move = moveFor(one);
    if (move) return move;
  }
  return null;
}

/** A copy of the shard, of those that may go a replica first, to the machine that is preferred for one more. */
function moveOf(
  { survey }: Case,
  shard: string,
  mayGo: (copy: PlacedCopy) => boolean,
  toAnotherZone = false,
): Remedy | null {
  const answers = answersFor(survey, shard);
  const best = bestAnswer(toAnotherZone ? answers.filter(({ standing }) => !standing.sharesZone) : answers);
  const [goes] = survey.copiesOf
    .get(shard)!
    .filter(mayGo)
    .sort((a, b) => Number(a.primary) - Number(b.primary));
  return best && goes ? { kind: 'move', shard, from: goes.machine, to: best.room.machine } : null;
}
