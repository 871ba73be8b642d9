/** How even a database lies, and whether it would be more so if it were placed now. */
import type { RuleExplanation, SoftRule } from '../../domain/placement.ts';
import { type Context, percentOf, percentReserved, range } from './context.ts';
import { softSentences } from './words.ts';

/** A machine may be fuller by so much, in percent of its memory, before it counts as uneven. */
const MEMORY_TOLERANCE = 10;

/** A verdict for each soft rule, over the machines that have nodes of the database and those that could. */
export function softRules(about: Context): RuleExplanation[] {
  const { survey, primariesOn, anew } = about;
  const machines = survey.fleet.rooms
    .filter(({ machine, closed }) => closed === null || survey.nodesOn.has(machine))
    .map(({ machine }) => machine);
  const countsOf = (counts: ReadonlyMap<string, number>): number[] => machines.map((name) => counts.get(name) ?? 0);
  const most = (numbers: readonly number[]): number => range(numbers).most;
  return [
    soft('even_primaries', countsOf(primariesOn), anew && most(countsOf(anew.primaries)), 0),
    soft('even_nodes', countsOf(survey.nodesOn), anew && most(countsOf(anew.nodes)), 0),
    soft(
      'even_memory',
      machines.map((machine) => percentReserved(survey, machine)),
      anew && most(machines.map((machine) => percentAnew(machine, about))),
      MEMORY_TOLERANCE,
    ),
  ];
}

/** Reserved on a machine if the database were placed anew, in percent. */
function percentAnew(machine: string, { emptied, anew }: Context): number {
  const { reservedBytes, memoryBytes } = emptied.rooms.find((room) => room.machine === machine)!;
  return percentOf(reservedBytes + (anew!.nodes.get(machine) ?? 0) * emptied.nodeBytes, memoryBytes);
}

function soft(rule: SoftRule, numbers: readonly number[], mostAnew: number | null, tolerance: number): RuleExplanation {
  const figures = { ...range(numbers), mostAnew };
  const holds = mostAnew === null || figures.most <= mostAnew + tolerance;
  const facts = { rule, hard: false, holds, avoidable: !holds, breaches: [], obstacles: [], remedy: null, figures };
  return { ...facts, sentences: softSentences(rule, holds, figures) };
}
