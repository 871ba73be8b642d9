/** The record of what an agent does for a shard whose primary ended: begun at once, kept only if it was a failover. */
import { type NodeId, shortId } from '../domain/ids.ts';
import type { GuardedDatabase } from '../domain/roster.ts';
import { answering, type EngineView, type NodeView } from '../domain/view.ts';
import type { Plan } from '../plan/plan.ts';
import type { Outcome, Step } from '../plan/step.ts';
import type { Clock } from '../platform/clock.ts';
import type { FailoverBeginning, FailoverLog, FailoverOutcome, FailoverStory } from './failover-log.ts';
import { fellowsOf, type ShardSight } from './shard-view.ts';
import { missingAtMostMs, type WrittenMark } from './written.ts';

type Promotion = Extract<Step, { kind: 'promote' }>;

export interface StorySurroundings {
  failovers: Pick<FailoverLog, 'begin'>;
  longestWait: (databaseUid: string, node: NodeId) => Promise<number>;
  clock: Pick<Clock, 'now'>;
}

export class ShardStory {
  readonly #about: FailoverBeginning;
  readonly #longestWait: StorySurroundings['longestWait'];
  readonly #story: FailoverStory;
  readonly #endedAt: number;
  readonly #marks: readonly WrittenMark[];
  #tried: Promotion | null = null;
  /** What each copy had, by the latest look. */
  #seen = new Map<NodeId, EngineView | undefined>();
  /** Null once a replica is primary. */
  #open: Omit<FailoverOutcome, 'result'> | null = { candidates: [], chosen: null, mode: null, lostAtMostMs: null };
  #isFailover = false;
  #reason = 'no replica could take its place';

  /** @param marks of the primary that was lost */
  constructor(
    around: StorySurroundings,
    about: FailoverBeginning,
    beginning: string,
    marks: readonly WrittenMark[] = [],
  ) {
    this.#endedAt = around.clock.now();
    this.#marks = marks;
    this.#about = about;
    this.#longestWait = around.longestWait;
    this.#story = around.failovers.begin(about);
    this.#story.note(beginning);
  }

  /** A look at the shard, and what it comes to. */
  saw(sight: ShardSight, plan: Plan): void {
    if (this.#open === null) return;
    const concerns = plan.problems.some(({ code, node }) => code === 'primary_dead' && node === this.#about.node);
    if (!concerns) {
      const successor = fellowsOf(sight, this.#about.node).find(([, fellow]) => isOwner(fellow))?.[0].id;
      if (successor !== undefined) this.#tookOver(successor);
      return;
    }
    const first = !this.#isFailover;
    this.#isFailover = true;
    const fellows = fellowsOf(sight, this.#about.node);
    this.#seen = new Map(fellows.map(([{ id }, { engine }]) => [id, engine]));
    this.#open.candidates = fellows.map(([{ id: node, machine }, seen]) => ({
      node,
      machine,
      offset: answering(seen)?.offset ?? null,
    }));
    const why = plan.blocked.find(({ because }) => because === 'primary_dead')?.reason;
    if (first) {
      const said = this.#open.candidates.map(({ node, machine, offset }) =>
        offset === null
          ? `${shortId(node)} on ${machine} does not answer`
          : `${shortId(node)} on ${machine} is at ${offset}`,
      );
      this.#story.note(`asked the copies: ${said.join(', ') || 'there are none'}`);
    }
    if (why !== undefined) this.waits(why);
  }

  /** Another is primary: it was promoted from here, later than was waited for; or by somebody else, who tells of it. */
  #tookOver(successor: NodeId): void {
    if (this.#tried?.target === successor) this.promoted(this.#tried, { result: 'done' });
    else this.#open = null;
  }

  /** Nothing can be done yet. */
  waits(why: string): void {
    if (this.#open === null || why === this.#reason) return;
    this.#story.note(`waits: ${why}`);
    this.#reason = why;
  }

  promoted(step: Promotion, outcome: Outcome): void {
    if (this.#open === null) return;
    this.#tried = step;
    const { target, args } = step;
    const { mode } = args;
    const what = `${mode.toUpperCase()} to ${shortId(target)}`;
    if (outcome.result !== 'done') {
      this.#reason = outcome.reason;
      this.#story.note(`${what} came to nothing: ${outcome.reason}`);
      return;
    }
    this.#story.note(`${what}: it is the primary; the endpoints were told`);
    const lostAtMostMs = this.#missingIn(target);
    void this.#story.end({ ...this.#open, chosen: target, mode, lostAtMostMs, result: { state: 'promoted' } });
    this.#open = null;
    void this.#noteWait(target);
  }

  #missingIn(copy: NodeId): number | null {
    const engine = this.#seen.get(copy);
    return engine?.state === 'answering' ? missingAtMostMs(this.#marks, engine, this.#endedAt) : null;
  }

  async #noteWait(node: NodeId): Promise<void> {
    const waitedMs = await this.#longestWait(this.#about.databaseUid, node).catch(() => null); // it stays unknown
    if (waitedMs !== null) await this.#story.waited(waitedMs);
  }

  /** The node that was lost is, or is not, started again. */
  started(outcome: Outcome): void {
    if (!this.#isFailover) return;
    if (outcome.result === 'done') this.#story.note('the process was started again');
    else this.#story.note(`the process was not started again: ${outcome.reason}`);
  }

  /** Nothing more is done. */
  over(): void {
    if (this.#open === null || !this.#isFailover) return;
    void this.#story.end({ ...this.#open, result: { state: 'given_up', reason: this.#reason } });
    this.#open = null;
  }
}

function isOwner(node: NodeView): boolean {
  const engine = answering(node);
  return engine?.role === 'primary' && engine.slots.length > 0;
}

/** What a failover's record begins with. */
export const beginningOf = (
  { name, uid, nodes }: GuardedDatabase,
  node: NodeId,
  cause: FailoverBeginning['cause'],
  by: string,
): FailoverBeginning => {
  const { shard, machine } = nodes.find(({ id }) => id === node)!;
  return { database: name, databaseUid: uid, shard, cause, node, machine, by };
};
