/** Control planes that are wrong on purpose, each in one way: the simulator is worth something only if it catches them. */
import type { Database } from '../../src/domain/database.ts';
import { answering, type DatabaseView, type NodeView } from '../../src/domain/view.ts';
import { promotionMode } from '../../src/plan/failover.ts';
import type { Place } from '../../src/plan/placement.ts';
import { type Plan, plan } from '../../src/plan/plan.ts';
import { logsEveryWrite, wantedSettings } from '../../src/plan/settings.ts';
import type { Step } from '../../src/plan/step.ts';
import { shardTopology } from '../../src/plan/topology.ts';
import type { Invariant } from './invariants.ts';
import type { Mind } from './world.ts';

interface BrokenPlanner extends Pick<Mind, 'plan' | 'arrange'> {
  /** What it does wrong. */
  wrong: string;
  /** The invariants that it may be caught by. */
  breaks: readonly Invariant[];
}

const asItIs = (places: Place[]): Place[] => places;

const changed = (change: (step: Step, database: Database, view: DatabaseView) => Step): Mind['plan'] => {
  return (database, view) => {
    const right = plan(database, view);
    return { ...right, steps: right.steps.map((step) => change(step, database, view)) };
  };
};

/** Every broken control plane, by name. */
export const BROKEN_PLANNERS = {
  'restarts-first': {
    wrong: 'restarts a dead primary instead of promoting a replica',
    breaks: ['never_empty', 'last_copy'],
    arrange: asItIs,
    plan: changed((step) =>
      step.kind === 'promote'
        ? {
            kind: 'start_node',
            target: step.args.insteadOf,
            args: { replicaOf: null },
            expects: { process: 'exited' },
            because: step.because,
          }
        : step,
    ),
  },
  'promotes-anyone': {
    wrong: 'promotes the replica with the least history, also one in the middle of a copy',
    breaks: ['last_copy'],
    arrange: asItIs,
    plan: (database, view) => promotingTheWorst(database, view),
  },
  'believes-silence': {
    wrong: 'takes who cannot be reached for dead',
    breaks: ['one_owner', 'last_copy', 'never_empty'],
    arrange: asItIs,
    plan: (database, view) => {
      const nodes = new Map([...view.nodes].map(([id, node]) => [id, buried(node)]));
      return plan(database, { ...view, nodes });
    },
  },
  'starts-unfenced': {
    wrong: 'starts replicas with what their disk says they are',
    breaks: ['last_copy', 'one_owner', 'never_empty', 'converges'],
    arrange: asItIs,
    plan: changed((step) => (step.kind === 'start_node' ? { ...step, args: { replicaOf: null } } : step)),
  },
  'puts-copies-together': {
    wrong: 'puts all copies of a shard on the machine of its primary',
    breaks: ['copies_apart'],
    arrange: (places) =>
      places.map((place) => ({ ...place, machine: places.find(({ shard }) => shard === place.shard)!.machine })),
    plan,
  },
  'leaves-its-log': {
    wrong: 'ends a log in the process before it ends it in valkey.conf, which a start then believes',
    breaks: ['last_copy', 'never_empty'],
    arrange: asItIs,
    plan: (database, view) => {
      const right = plan(database, view);
      const hasty = right.problems.flatMap(({ code, node }): Step[] => {
        const logs = answering(view.nodes.get(node ?? ''))?.settings['appendonly'] === 'yes';
        if (code !== 'settings_differ' || !logs || logsEveryWrite(wantedSettings(database.spec))) return [];
        return [
          { kind: 'configure', target: node!, args: { settings: { appendonly: 'no' } }, expects: {}, because: code },
        ];
      });
      const isHasty = (step: Step): boolean => hasty.some(({ target }) => target === step.target);
      return { ...right, steps: [...right.steps.filter((step) => !isHasty(step)), ...hasty] };
    },
  },
  'never-satisfied': {
    wrong: 'goes on probing when all is well',
    breaks: ['settles'],
    arrange: asItIs,
    plan: (database, view) => {
      const right = plan(database, view);
      const shard = shardTopology(database, view, 'shard-1');
      if (right.steps.length > 0 || !shard.owner?.engine) return right;
      const probe: Step = {
        kind: 'probe',
        target: shard.owner.assignment.id,
        args: { slots: shard.slots },
        expects: {},
        because: 'replica_syncing',
      };
      return { ...right, steps: [probe] };
    },
  },
} as const satisfies Record<string, BrokenPlanner>;

const buried = (node: NodeView): NodeView =>
  node.engine.state === 'answering' || node.process.state === 'exited' || node.process.state === 'absent'
    ? node
    : { ...node, process: { state: 'exited', how: 'died', at: 0, detail: 'it was silent' } };

function promotingTheWorst(database: Database, view: DatabaseView): Plan {
  const right = plan(database, view);
  const dead = right.problems.filter(({ code }) => code === 'primary_dead');
  const steps = dead.flatMap((problem): Step[] => {
    const { members, owner } = shardTopology(database, view, problem.shard!);
    const [worst] = members
      .filter(({ engine }) => engine?.role === 'replica' && engine.primaryId === problem.node)
      .sort((a, b) => a.engine!.offset - b.engine!.offset);
    if (!worst || !owner) return [];
    const how = promotionMode(database, view, worst);
    return [
      {
        kind: 'promote',
        target: worst.assignment.id,
        args: { insteadOf: owner.assignment.id, mode: 'refused' in how ? 'takeover' : how.mode },
        expects: {},
        because: problem.code,
      },
    ];
  });
  const others = right.steps.filter((step) => step.because !== 'primary_dead');
  return { ...right, steps: [...others, ...steps] };
}
