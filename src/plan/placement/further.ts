/** Where further copies of shards go, while all that is there stays: after a machine was lost, or to empty one. */
import type { Addition, Refusal } from '../../domain/placement.ts';
import type { MachineView } from '../../domain/view.ts';
import { Network } from './flow.ts';
import { type Answer, answersFor, type Layout, type PlacedCopy, type Survey, surveyOf } from './layout.ts';
import { type Fleet, fleetOf, openRooms } from './rooms.ts';
import { byPreference } from './standing.ts';

/** What came of the wish for one more copy. */
export type Further =
  | { shard: string; machine: string; sharesZone: boolean }
  /** No machine can take it: how many say what. */
  | { shard: string; machine: null; refusals: Partial<Record<Refusal, number>> };

export interface FurtherPlaces {
  /** In the order of the wishes. */
  places: Further[];
  /** What would make room for those without a place; null when all have one. */
  add: Addition | null;
}

/** The most arcs that are searched through; beyond, each copy gets the best place of its own, one after the other. */
const MAX_ARCS = 20_000;

/**
 * Places for one more copy of each of these shards, the more urgent first; a shard may be named more than once. As many
 * as possible get one, the earlier before the later, and these share as few zones as possible: where the best place for
 * each would leave another without, a flow is looked for that serves both. What is there stays.
 * @param layout all copies of the database, those that do not count any more too; each is reserved for on its machine
 */
export function furtherPlaces(
  shards: readonly string[],
  layout: Layout,
  nodeBytes: number,
  machines: readonly MachineView[],
): FurtherPlaces {
  const fleet = fleetOf(machines, nodeBytes);
  const greedy = oneByOne(shards, layout, fleet);
  const survey = surveyOf(layout, fleet);
  const isBest = greedy.every(
    (further) => further.machine !== null && (!further.sharesZone || mustShare(survey, further.shard)),
  );
  const places = isBest ? greedy : (searched(shards, survey) ?? greedy);
  return { places, add: additionFor(places, layout, fleet) };
}

/** The machine that is preferred for one more copy; null when none can take it. */
export const bestAnswer = (answers: readonly Answer[]): Answer | null =>
  answers
    .filter(({ refusal }) => refusal === null)
    .reduce<Answer | null>(
      (best, answer) => (best && byPreference(best.standing, answer.standing) <= 0 ? best : answer),
      null,
    );

/** No machine could take a copy of the shard without sharing a zone, even before any other wish is granted. */
const mustShare = (survey: Survey, shard: string): boolean =>
  answersFor(survey, shard).every(({ refusal, standing }) => refusal !== null || standing.sharesZone);

function oneByOne(shards: readonly string[], layout: Layout, fleet: Fleet): Further[] {
  let [now, room] = [layout, fleet];
  return shards.map((shard) => {
    const answers = answersFor(surveyOf(now, room), shard);
    const best = bestAnswer(answers);
    if (!best) return turnedDown(shard, answers);
    const { machine } = best.room;
    now = { ...now, copies: [...now.copies, { shard, machine, primary: false, counts: true }] };
    room = withOneMore(room, machine);
    return { shard, machine, sharesZone: best.standing.sharesZone };
  });
}

const withOneMore = (fleet: Fleet, machine: string): Fleet => ({
  ...fleet,
  rooms: fleet.rooms.map((room) =>
    room.machine === machine
      ? { ...room, reservedBytes: room.reservedBytes + fleet.nodeBytes, fits: room.fits - 1 }
      : room,
  ),
});

function turnedDown(shard: string, answers: readonly Answer[]): Further {
  const refusals: Partial<Record<Refusal, number>> = {};
  for (const { refusal } of answers) if (refusal) refusals[refusal] = (refusals[refusal] ?? 0) + 1;
  return { shard, machine: null, refusals };
}

/**
 * Wishes flow to machines: from the shards, through a gate for each zone that lets the first copy pass for nothing, into
 * machines where each more costs a little more than the one before. Null when the network would be too large.
 */
function searched(shards: readonly string[], survey: Survey): Further[] | null {
  const { fleet } = survey;
  const wishes = new Map<string, number>();
  for (const shard of shards) wishes.set(shard, (wishes.get(shard) ?? 0) + 1);
  if (wishes.size * openRooms(fleet).length > MAX_ARCS) return null;
  const network = new Network();
  const [source, sink] = [network.node(), network.node()];
  const most = Math.max(0, ...survey.nodesOn.values());
  /** More than all else together. */
  const sharing = shards.length * (most + shards.length) + 1;
  const machineNodes = new Map<string, number>();
  const intoMachine = (machine: string): number => {
    const known = machineNodes.get(machine);
    if (known !== undefined) return known;
    const node = network.node();
    machineNodes.set(machine, node);
    const { fits } = survey.roomOf.get(machine)!;
    const nodes = survey.nodesOn.get(machine) ?? 0;
    for (let more = 0; more < Math.min(fits, shards.length); more += 1) network.arc(node, sink, 1, nodes + more);
    return node;
  };
  const wanted = new Map<string, number>();
  const chosen: { shard: string; answer: Answer; arc: number }[] = [];
  for (const [shard, count] of wishes) {
    const node = network.node();
    wanted.set(shard, network.arc(source, node, 0));
    const able = answersFor(survey, shard).filter(({ refusal }) => refusal === null);
    able.sort((a, b) => byPreference(a.standing, b.standing));
    const gates = new Map<string, number>();
    for (const answer of able) {
      const { zone, machine } = answer.room;
      let gate = gates.get(zone);
      if (gate === undefined) {
        gate = network.node();
        gates.set(zone, gate);
        if (!answer.standing.sharesZone) network.arc(node, gate, 1);
        network.arc(node, gate, count, sharing);
      }
      chosen.push({
        shard,
        answer,
        arc: network.arc(gate, intoMachine(machine), fleet.together - copiesOn(survey, shard, machine)),
      });
    }
  }
  // One by one: what an earlier wish got, no later one takes from it.
  for (const shard of shards) {
    network.widen(wanted.get(shard)!, 1);
    if (!network.send(source, sink)) network.widen(wanted.get(shard)!, -1);
  }
  const found = new Map<string, Answer[]>();
  for (const { shard, answer, arc } of chosen) {
    for (let sent = network.sent(arc); sent > 0; sent -= 1) found.set(shard, [...(found.get(shard) ?? []), answer]);
  }
  return handedOut(shards, found, survey);
}

const copiesOn = ({ copiesOf }: Survey, shard: string, machine: string): number =>
  (copiesOf.get(shard) ?? []).filter((copy) => copy.machine === machine).length;

/** To each wish one of the machines that were found for its shard. */
function handedOut(shards: readonly string[], found: ReadonlyMap<string, Answer[]>, survey: Survey): Further[] {
  const zones = new Map<string, Set<string>>();
  return shards.map((shard) => {
    const answer = found.get(shard)?.shift();
    if (!answer) return turnedDown(shard, answersFor(survey, shard));
    const { machine, zone } = answer.room;
    const taken = zones.get(shard) ?? new Set();
    zones.set(shard, taken);
    const sharesZone = answer.standing.sharesZone || taken.has(zone);
    taken.add(zone);
    return { shard, machine, sharesZone };
  });
}

/** A machine can take one copy of each shard: as many machines as a shard lacks copies, with room for all that lack one. */
function additionFor(places: readonly Further[], { copies }: Layout, fleet: Fleet): Addition | null {
  const lacking = places.filter(({ machine }) => machine === null).map(({ shard }) => shard);
  if (lacking.length === 0) return null;
  const zoneOf = new Map(fleet.rooms.map(({ machine, zone }) => [machine, zone]));
  const isOf = ({ shard, counts }: PlacedCopy): boolean => counts && lacking.includes(shard);
  const notIn = [...new Set(copies.filter(isOf).flatMap(({ machine }) => zoneOf.get(machine) ?? []))];
  const machines = Math.max(...lacking.map((shard) => lacking.filter((other) => other === shard).length));
  const bytes = new Set(lacking).size * fleet.nodeBytes;
  if (machines > 1) return { machines, bytes, zone: 'new', notIn: [] };
  const zones = new Set(fleet.rooms.map(({ zone }) => zone));
  const matters = zones.size > 1 && notIn.length > 0;
  return matters ? { machines, bytes, zone: 'another', notIn } : { machines, bytes, zone: 'any', notIn: [] };
}
