/** Why each node of a database is where it is, and how its placement does by the rules: first as data, then in sentences. */
import { type Database, shardNames } from '../../domain/database.ts';
import type {
  HardRule,
  MachineGroup,
  NodeExplanation,
  PlacementExplanation,
  Reason,
  RuleExplanation,
} from '../../domain/placement.ts';
import type { DatabaseView } from '../../domain/view.ts';
import { layoutOf } from '../layout.ts';
import { machinesOfShards } from '../placement.ts';
import { type Member, shardTopology } from '../topology.ts';
import { attainable } from './bounds.ts';
import { type Context, percentReserved, range, type Spread } from './context.ts';
import { judge, type Verdict } from './judge.ts';
import { type Answer, answersFor, type Layout, nodesByMachine, type PlacedCopy, surveyOf } from './layout.ts';
import { primariesByMachine } from './primaries.ts';
import { reserveOf } from './reserve.ts';
import { type Fleet, fleetOf, openRooms } from './rooms.ts';
import { softRules } from './soft.ts';
import { nodeSentences, ruleSentences } from './words.ts';

/** So many machines of a group are named. */
const EXAMPLES = 3;

/** Everything that placement can say of a database as it was seen. */
export function explainPlacement(database: Database, view: DatabaseView): PlacementExplanation {
  const { name, generation, spec } = database;
  const shards = shardNames(database).map((shard) => shardTopology(database, view, shard));
  const members = shards.flatMap((shard) => shard.members);
  const layout = withRoles(layoutOf(database, shards, view.machines), members);
  const reserve = reserveOf(spec);
  const emptied = fleetOf(view.machines, reserve.totalBytes, nodesByMachine(layout.copies));
  const about: Context = {
    database: name,
    layout,
    survey: surveyOf(layout, fleetOf(view.machines, reserve.totalBytes)),
    primariesOn: primariesByMachine(
      layout.copies.flatMap(({ machine, primary }) => (primary ? { primary: machine } : [])),
    ),
    anew: spreadAnew(layout, emptied),
    emptied,
  };
  const verdicts = judge(layout, reserve.totalBytes, view.machines);
  return {
    database: name,
    generation,
    shards: spec.shards,
    replicas: spec.replicas,
    reserve,
    rules: [...verdicts.map((verdict) => hardRule(verdict, about)), ...softRules(about)],
    nodes: layout.copies.map((copy, index) => explainNode(copy, members[index]!, about)),
  };
}

/** Before a shard has an owner, its primary is the node that is to be born as one. */
function withRoles({ shape, copies }: Layout, members: readonly Member[]): Layout {
  const owned = new Set(copies.filter(({ primary }) => primary).map(({ shard }) => shard));
  return {
    shape,
    copies: copies.map((copy, index) => {
      const isBorn = !owned.has(copy.shard) && members[index]!.assignment.birth.role === 'primary';
      return { ...copy, primary: copy.primary || isBorn };
    }),
  };
}

function spreadAnew({ shape }: Layout, emptied: Fleet): Spread | null {
  if (attainable(openRooms(emptied), shape, emptied.together).missing > 0) return null;
  const shards = machinesOfShards(emptied, shape);
  return {
    nodes: nodesByMachine(
      shards.flatMap(({ primary, replicas }) => [primary, ...replicas].map((machine) => ({ machine }))),
    ),
    primaries: primariesByMachine(shards),
  };
}

function explainNode(copy: PlacedCopy, { assignment: { id } }: Member, about: Context): NodeExplanation {
  const { roomOf, copiesOf, nodesOn } = about.survey;
  const { shard, machine, primary } = copy;
  const room = roomOf.get(machine);
  const zoneOf = (name: string): string | null => roomOf.get(name)?.zone ?? null;
  const answers = answersFor(about.survey, shard, copy);
  const own = answers.find((answer) => answer.room === room);
  const facts: Omit<NodeExplanation, 'sentences'> = {
    node: id,
    shard,
    role: primary ? 'primary' : 'replica',
    machine,
    zone: zoneOf(machine),
    others: copiesOf
      .get(shard)!
      .filter((other) => other !== copy)
      .map((other) => ({ machine: other.machine, zone: zoneOf(other.machine) })),
    nodesHere: nodesOn.get(machine) ?? 0,
    primariesHere: about.primariesOn.get(machine) ?? 0,
    memoryBytes: room?.memoryBytes ?? 0,
    reservedBytes: room?.reservedBytes ?? 0,
    elsewhere: own
      ? grouped(answers.filter((answer) => answer !== own).map((one) => [reasonAgainst(one, own), one]))
      : [],
  };
  return { ...facts, sentences: nodeSentences(facts, about) };
}

/** Why the copy is not there but here; by the very comparison that places copies. */
function reasonAgainst({ refusal, standing }: Answer, { standing: own }: Answer): Reason {
  if (refusal) return refusal;
  if (standing.sharesZone !== own.sharesZone) return standing.sharesZone ? 'shares_zone' : 'another_zone';
  if (standing.nodes !== own.nodes) return standing.nodes > own.nodes ? 'more_nodes' : 'fewer_nodes';
  if (standing.fill !== own.fill) return standing.fill > own.fill ? 'fuller' : 'emptier';
  return 'as_good';
}

function hardRule({ rule, breaches, avoidable, remedy }: Verdict, about: Context): RuleExplanation {
  const facts: Omit<RuleExplanation, 'sentences'> = {
    rule,
    hard: true,
    holds: breaches.length === 0,
    avoidable,
    breaches,
    obstacles: breaches.length === 0 || avoidable ? [] : obstaclesTo(rule, breaches[0]!, about),
    remedy,
    figures: figuresOf(rule, about),
  };
  return { ...facts, sentences: ruleSentences(facts, about) };
}

/** What stands in the way, of the first case in which the rule does not hold. */
function obstaclesTo(
  rule: HardRule,
  breach: Verdict['breaches'][number],
  { survey, layout, emptied }: Context,
): MachineGroup[] {
  if (breach.rule === 'majority') {
    // Any machine would do that had room if the database were not there.
    return grouped(
      emptied.rooms
        .filter(({ machine }) => machine !== breach.machine)
        .flatMap((room): [Reason, Pick<Answer, 'room'>][] =>
          room.closed ? [[room.closed, { room }]] : room.fits === 0 ? [['no_room', { room }]] : [],
        ),
    );
  }
  const shard =
    'shard' in breach ? breach.shard : layout.copies.find(({ machine }) => machine === breach.machine)!.shard;
  const held = new Set(survey.copiesOf.get(shard)!.map(({ machine }) => machine));
  const answers = answersFor(survey, shard).filter(({ room, standing }) =>
    rule === 'zones' ? !standing.sharesZone : !held.has(room.machine),
  );
  return grouped(answers.flatMap((answer) => (answer.refusal ? [[answer.refusal, answer]] : [])));
}

/** Of what a machine can have too much. */
function figuresOf(rule: HardRule, { survey, primariesOn }: Context): RuleExplanation['figures'] {
  const machines = [...survey.nodesOn.keys()];
  if (rule === 'majority')
    return { ...range(machines.map((machine) => primariesOn.get(machine) ?? 0)), mostAnew: null };
  if (rule === 'memory')
    return { ...range(machines.map((machine) => percentReserved(survey, machine))), mostAnew: null };
  return null;
}

/** Machines of which the same is to be said, in the order of the reasons they were first met with. */
function grouped(reasons: readonly (readonly [Reason, Pick<Answer, 'room'>])[]): MachineGroup[] {
  const groups = new Map<Reason, MachineGroup>();
  for (const [because, { room }] of reasons) {
    const group = groups.get(because) ?? { because, machines: 0, examples: [] };
    groups.set(because, group);
    group.machines += 1;
    if (group.examples.length < EXAMPLES) group.examples.push(room.machine);
  }
  return [...groups.values()];
}
