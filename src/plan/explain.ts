/** Plans and outcomes in sentences: the dry run, the journal and the console all say the same. */
import type { Database } from '../domain/database.ts';
import { type NodeId, shortId } from '../domain/ids.ts';
import { formatSlots } from '../domain/slots.ts';
import { counted } from '../domain/template.ts';
import type { Settings } from '../domain/view.ts';
import { describeProblem, type Problem } from './problems.ts';
import type { Step, StepArgs } from './step.ts';

function startInWords(node: string, { replicaOf, yields = [] }: StepArgs['start_node'], at: (id: NodeId) => string) {
  if (replicaOf) return `Start ${node} fenced: as a replica of ${at(replicaOf.id)} that owns nothing.`;
  const left = yields.map(({ id, slots }) => `, but for the slots ${formatSlots(slots)}, which ${at(id)} serves`);
  return `Start ${node} with what lies on its disk${left.join('')}.`;
}

function movesInWords(
  node: string,
  { moves, most, atOnce }: StepArgs['move_slots'],
  at: (id: NodeId) => string,
): string {
  const targets = moves.map(({ to, slots }) => `${at(to)}, of ${formatSlots(slots)}`).join('; ');
  const size = `as many as have ${counted(most.keys, 'key')} at most, ${counted(atOnce, 'job')} at once`;
  return `Move slots from ${node} to ${targets}: ${size}.`;
}

/** One step in a sentence, with names instead of ids where there are any. */
function explainStep(database: Database, step: Step): string {
  const at = (id: string): string => {
    const node = database.nodes.find((other) => other.id === id);
    return node ? `${shortId(id)} (${node.shard}, ${node.machine})` : shortId(id);
  };
  const node = at(step.target);
  switch (step.kind) {
    case 'create_node':
      return `Create ${node} as ${step.args.birth === 'primary' ? `a primary with the slots ${bornSlots(database, step.target)}` : 'an empty replica'}.`;
    case 'start_node':
      return startInWords(node, step.args, at);
    case 'stop_node':
      return `Stop ${node}, to start it again fenced.`;
    case 'claim_slots':
      return `Let ${node} take the slots ${bornSlots(database, step.target)}.`;
    case 'meet':
      return `Introduce ${node} to ${counted(step.args.peers.length, 'other')}.`;
    case 'replicate':
      return `Make ${node} a replica of ${at(step.args.primary)}.`;
    case 'probe':
      return `See that the replicas of ${node} acknowledge what it writes.`;
    case 'promote':
      return step.args.mode === 'force'
        ? `Promote ${node} in place of the dead ${at(step.args.insteadOf)}, by the vote of the other primaries.`
        : `Promote ${node} in place of the dead ${at(step.args.insteadOf)}, without a vote: no majority of primaries is left to give one.`;
    case 'switch_over':
      return `Let ${node} and its primary ${at(step.args.insteadOf)} change places.`;
    case 'want_primary':
      return `Let ${node} be the primary instead of ${at(step.args.insteadOf)}, for ten minutes at least.`;
    case 'forget':
      return `Let ${node} forget ${step.args.strangers.map(shortId).join(', ')}.`;
    case 'configure':
      return `Set ${list(step.args.settings)} on ${node} while it runs.`;
    case 'write_config':
      return `Write ${list(step.args.settings)} into the valkey.conf of ${node}.`;
    case 'write_users':
      return `Write the users into the ACL file of ${node} and let it read them.`;
    case 'cut_log':
      return `Cut off the end of the append-only log of ${node} that cannot be read, and keep it beside it.`;
    case 'set_data_aside':
      return `Put aside what ${node} cannot load.`;
    case 'remove_node':
      return `Stop ${node} and remove its directory.`;
    case 'add_copy':
      return `Give ${step.target} one more copy, on ${step.args.machine}.`;
    case 'retire_copy':
      return `Take ${node} out of the database.`;
    case 'move_slots':
      return movesInWords(node, step.args, at);
    case 'retire_shard':
      return `Take ${step.target} out of the database.`;
    case 'clear_retired':
      return `Remove what is left of ${shortId(step.target)}.`;
    case 'delete_record':
      return `Remove the record of ${step.target}.`;
  }
}

/** `maxmemory 1048576, save ""`. */
const list = (settings: Settings): string =>
  Object.entries(settings)
    .map(([name, value]) => `${name} ${value === '' ? '""' : value}`)
    .join(', ');

function bornSlots(database: Database, id: string): string {
  const birth = database.nodes.find((node) => node.id === id)?.birth;
  return birth?.role === 'primary' ? formatSlots(birth.slots) : '';
}

/** A step with its reason: what is wrong, and what is done about it. */
export function explainBecause(database: Database, step: Step, problems: readonly Problem[]): string {
  const { shard } = database.nodes.find(({ id }) => id === step.target) ?? {};
  const sameCode = problems.filter(({ code }) => code === step.because);
  const problem =
    sameCode.find(({ node }) => node === step.target) ?? sameCode.find((other) => other.shard === shard) ?? sameCode[0];
  const reason = problem ? describeProblem(problem) : '';
  return `${explainStep(database, step)} ${reason}`.trim();
}
