/** Agents that are wrong on purpose, each in one way. */
import { answering, type DatabaseView } from '../../../src/domain/view.ts';
import { planShard, type ShardPlanner } from '../../../src/plan/plan.ts';
import type { Step } from '../../../src/plan/step.ts';
import type { Invariant } from '../invariants.ts';
import type { AgentMind } from './agent-guard.ts';

/** Agents as they are. */
export const REAL_AGENTS: AgentMind = {
  plan: planShard,
  connect: (connection) => connection,
  answer: (_, really) => really(),
};

interface BrokenAgents {
  /** What they do wrong. */
  wrong: string;
  /** The invariants that they may be caught by. */
  breaks: readonly Invariant[];
  agents: AgentMind;
}

const planning = (plan: ShardPlanner): AgentMind => ({ ...REAL_AGENTS, plan });

/** Every kind of broken agents, by name. */
export const BROKEN_AGENTS = {
  'agents-without-fence': {
    wrong: 'do not stop writes when the lease has run out',
    breaks: ['lease_kept', 'stops_alone'],
    agents: {
      ...REAL_AGENTS,
      connect: (connection) => ({
        get commandTimeoutMs() {
          return connection.commandTimeoutMs;
        },
        command: async (...args) => (args[0] === 'CLIENT' && args[1] === 'PAUSE' ? 'OK' : connection.command(...args)),
        pipeline: (commands) => connection.pipeline(commands),
        close: () => connection.close(),
      }),
    },
  },
  'agents-agree-at-once': {
    wrong: 'agree to every claim without waiting for the lease to run out',
    breaks: ['lease_kept', 'one_owner'],
    agents: {
      ...REAL_AGENTS,
      answer: (question, really) => (question.ask === 'claim' ? Promise.resolve({ kind: 'agreed' }) : really()),
    },
  },
  'agents-promote-the-worst': {
    wrong: 'promote the replica with the least history',
    breaks: ['last_copy', 'acknowledged'],
    agents: planning((database, view, shard) => planShard(database, upsideDown(view), shard)),
  },
  'agents-restart-first': {
    wrong: 'start an ended primary again before another has taken its place',
    breaks: ['never_empty', 'last_copy', 'acknowledged'],
    agents: planning((database, view, shard) => {
      const right = planShard(database, view, shard);
      const steps = right.steps.map((step): Step => {
        if (step.kind !== 'promote') return step;
        const [target, expects] = [step.args.insteadOf, { process: 'exited' } as const];
        return { kind: 'start_node', target, args: { replicaOf: null }, expects, because: step.because };
      });
      return { ...right, steps };
    }),
  },
  'agents-count-nobody': {
    wrong: 'promote whoever answers, however many copies must be heard of',
    breaks: ['acknowledged'],
    agents: planning((database, view, shard) =>
      planShard({ ...database, spec: { ...database.spec, durability: 'async' } }, view, shard),
    ),
  },
} as const satisfies Record<string, BrokenAgents>;

/** The best is the worst: offsets are counted from the other end. */
function upsideDown(view: DatabaseView): DatabaseView {
  const engines = [...view.nodes.values()].flatMap((node) => answering(node) ?? []);
  const most = Math.max(0, ...engines.map(({ offset }) => offset));
  const nodes = [...view.nodes].map(([id, node]) => {
    const engine = answering(node);
    return [id, engine ? { ...node, engine: { ...engine, offset: most + 2 - engine.offset } } : node] as const;
  });
  return { ...view, nodes: new Map(nodes) };
}
