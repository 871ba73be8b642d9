/** Placement in sentences, from the data that `explain.ts` gathers. */
import type {
  Breach,
  MachineGroup,
  NodeExplanation,
  Reason,
  RuleExplanation,
  SoftRule,
} from '../../domain/placement.ts';
import { formatSize } from '../../domain/size.ts';
import { counted } from '../../domain/template.ts';
import { describeRemedy } from './advice.ts';
import { mostPrimaries } from './bounds.ts';
import type { Context } from './context.ts';

/** So many cases of a broken rule are told one by one. */
const TOLD = 3;

/** Why a node is where it is: its like, its role, its memory, the other machines. */
export function nodeSentences(node: Omit<NodeExplanation, 'sentences'>, about: Context): string[] {
  const { role, machine, primariesHere, nodesHere, reservedBytes, memoryBytes, elsewhere } = node;
  const { shards } = about.layout.shape;
  const nodeSize = formatSize(about.emptied.nodeBytes);
  const nodes = counted(nodesHere, 'node');
  return [
    likeSentence(node),
    ...(role === 'primary' && shards > 1
      ? [
          `${machine} holds ${primariesHere} of the ${shards} primaries; more than ${mostPrimaries(shards)} would be a majority.`,
        ]
      : []),
    node.zone === null
      ? `Nothing is known of ${machine}, which has ${nodes} of ${about.database}.`
      : `It reserves ${nodeSize}; ${machine} has ${formatSize(reservedBytes)} of ${formatSize(memoryBytes)} reserved, ${nodes} of ${about.database} among it.`,
    elsewhere.length === 0 ? 'There is no other machine.' : `Elsewhere: ${tellGroups(elsewhere, about)}.`,
  ];
}

/** Where the other copies of the shard are. */
function likeSentence({ shard, machine, zone, others }: Omit<NodeExplanation, 'sentences'>): string {
  if (others.length === 0) return `It is the only copy of ${shard}.`;
  const apart = others.filter((other) => other.machine !== machine);
  const where = listed(
    apart.map((other) => (other.zone === null ? other.machine : `${other.machine} (${other.zone})`)),
  );
  if (apart.length < others.length) {
    return `Another copy of ${shard} is on ${machine}, too${apart.length > 0 ? `; one more each on ${where}` : ''}.`;
  }
  const theOthers = `${others.length === 1 ? 'the other is' : 'the others are'} on ${where}`;
  const sharesZone = zone !== null && others.some((other) => other.zone === zone);
  const zoneWords = zone === null ? '' : sharesZone ? `, but its zone ${zone} has one` : ` or in its zone ${zone}`;
  return `No other copy of ${shard} is on ${machine}${zoneWords}: ${theOthers}.`;
}

/** A hard rule: what it says when it holds; else where it does not, why, and what would help. */
export function ruleSentences(facts: Omit<RuleExplanation, 'sentences'>, about: Context): string[] {
  const { breaches, obstacles, remedy } = facts;
  if (facts.holds) return [heldSentence(facts, about)];
  const more = breaches.length - TOLD;
  return [
    ...breaches.slice(0, TOLD).map((breach) => breachSentence(breach, about)),
    ...(more > 0 ? [`And ${counted(more, 'more case')} like these.`] : []),
    ...(facts.avoidable ? [] : [whySentence(facts, obstacles, about)]),
    describeRemedy(remedy),
  ];
}

function heldSentence({ rule, figures }: Omit<RuleExplanation, 'sentences'>, { layout, emptied }: Context): string {
  const { shards, copies } = layout.shape;
  switch (rule) {
    case 'apart':
      return copies === 1 ? 'Every shard has one copy only.' : 'No two copies of a shard are on one machine.';
    case 'zones':
      return copies === 1 ? 'Every shard has one copy only.' : 'No two copies of a shard are in one zone.';
    case 'majority':
      return shards === 1
        ? 'There is one primary only.'
        : `No machine holds more than ${figures!.most} of the ${shards} primaries; more than ${mostPrimaries(shards)} would be a majority.`;
    default:
      return `No machine has more reserved than it has: ${figures!.most} % of its memory at most, with ${formatSize(emptied.nodeBytes)} for each node.`;
  }
}

function breachSentence(breach: Breach, { layout, survey }: Context): string {
  switch (breach.rule) {
    case 'apart':
      return `${breach.shard} has ${breach.copies} copies on ${breach.machine}.`;
    case 'zones':
      return `${breach.shard} has ${breach.copies} copies in the zone ${breach.zone}.`;
    case 'majority':
      return `${breach.machine} holds ${breach.primaries} of the ${layout.shape.shards} primaries.`;
    case 'memory': {
      const { memoryBytes, reservedBytes } = survey.roomOf.get(breach.machine)!;
      return `On ${breach.machine} nodes reserve ${formatSize(reservedBytes)}, and it has ${formatSize(memoryBytes)}.`;
    }
  }
}

/** Why the present machines allow no better. */
function whySentence(
  { rule }: Pick<RuleExplanation, 'rule'>,
  obstacles: readonly MachineGroup[],
  about: Context,
): string {
  const { fleet } = about.survey;
  if (rule === 'apart' && fleet.together === 2)
    return 'The fleet has no other machine, and a copy beside its primary is better than none.';
  if (obstacles.length > 0) return `No other machine would help: ${tellGroups(obstacles, about)}.`;
  if (rule === 'zones') return 'No machine is in another zone.';
  if (rule === 'majority') {
    const open = fleet.rooms.filter(({ closed }) => closed === null).length;
    return `${counted(open, 'machine')} may have its nodes, too few to share its primaries so.`;
  }
  return 'No other machine would help.';
}

/** A soft rule with its figures. */
export function softSentences(
  rule: SoftRule,
  holds: boolean,
  figures: NonNullable<RuleExplanation['figures']>,
): string[] {
  const { least, most, mostAnew } = figures;
  const between = least === most ? `${most}` : `${least} to ${most}`;
  const has = {
    even_primaries: `Each machine that may have its nodes holds ${between} of its primaries.`,
    even_nodes: `Each machine that may have its nodes has ${between} of them.`,
    even_memory: `Each machine that may have its nodes has ${between} % of its memory reserved.`,
  }[rule];
  const unit = rule === 'even_memory' ? ' %' : '';
  return holds
    ? [has]
    : [has, `Placed anew, none would have more than ${mostAnew}${unit}; nothing moves for this alone.`];
}

/** `machine-2 has a copy of the shard; machine-3 and machine-4 are fuller`. */
const tellGroups = (groups: readonly MachineGroup[], about: Context): string =>
  groups
    .map(({ because, machines, examples }) => {
      const [one, many] = PREDICATES[because];
      const left = machines - examples.length;
      const names = left > 0 ? [...examples, counted(left, 'other')] : examples;
      const predicate = (machines === 1 ? one : many)
        .replace('{size}', formatSize(about.emptied.nodeBytes))
        .replace('{database}', about.database);
      return `${listed(names)} ${predicate}`;
    })
    .join('; ');

/** What is said of one machine, and of several. */
const PREDICATES: Record<Reason, readonly [string, string]> = {
  has_copy: ['has a copy of it', 'have a copy of it'],
  disk_filling: ['has a disk that is nearly full', 'have disks that are nearly full'],
  no_room: ['has no room for {size}', 'have no room for {size}'],
  away: ['is away', 'are away'],
  draining: ['drains', 'drain'],
  removed: ['was removed', 'were removed'],
  shares_zone: ['is in a zone that has a copy of it', 'are in zones that have a copy of it'],
  more_nodes: ['has more nodes of {database}', 'have more nodes of {database}'],
  fuller: ['is fuller', 'are fuller'],
  as_good: ['would be as good', 'would be as good'],
  another_zone: ['is in a zone without a copy of it', 'are in zones without a copy of it'],
  fewer_nodes: ['has fewer nodes of {database} now', 'have fewer nodes of {database} now'],
  emptier: ['is emptier now', 'are emptier now'],
};

/** `a`, `a and b`, `a, b and c`. */
const listed = (words: readonly string[]): string => words.join(', ').replace(/, ([^,]*)$/, ' and $1');
