/**
 * Asks the nodes of this machine for signs of life, looks at the processes that give none, tells what they are about,
 * and ends those that the rules (src/plan/pulse.ts) say are to be ended, if their shards can do without them.
 */
import type { NodeId } from '../domain/ids.ts';
import {
  answered,
  asked,
  begunAnew,
  ended,
  type IfEnded,
  isToBeEnded,
  looked,
  newPulse,
  PULSE_TIMES,
  type Pulse,
  withTold,
} from '../plan/pulse.ts';
import type { Logger } from '../platform/log.ts';
import type { ProcessIdentity } from '../platform/process-identity.ts';
import { lookAtProcess } from '../platform/process-look.ts';
import { ReplyError } from '../resp/reply.ts';
import { EngineUnreachable, type NodeConnection } from '../valkey/connection.ts';
import { parseInfo, replicationInfo } from '../valkey/info.ts';
import type { SupervisedNode } from './supervised-node.ts';
import { withMark } from './written.ts';

/** Questions are sent every so many looks. */
const LOOKS_A_QUESTION = PULSE_TIMES.askMs / PULSE_TIMES.lookMs;
/** A question stays open on its connection: a process that goes on answers it, and we hear at once. */
const QUESTION_TIMEOUT_MS = 60_000;

export interface PulseOptions {
  /** The nodes of the machine at that moment. */
  nodes: () => Iterable<SupervisedNode>;
  /** What would become of its shard, found out now, within a second or so. */
  ifEnded: (node: SupervisedNode) => Promise<IfEnded>;
  /** What a node is about, as it is told, has changed. */
  changed: (node: SupervisedNode) => void;
  log: Logger;
}

export class PulseWatch {
  readonly #options: PulseOptions;
  readonly #pulses = new Map<NodeId, NodePulse>();
  readonly #timer: NodeJS.Timeout;
  #lastTickAt = performance.now();
  #ticks = 0;

  constructor(options: PulseOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#tick(), PULSE_TIMES.lookMs);
  }

  close(): void {
    clearInterval(this.#timer);
    for (const pulse of this.#pulses.values()) pulse.close();
    this.#pulses.clear();
  }

  #tick(): void {
    const now = performance.now();
    const wasHeldUp = now - this.#lastTickAt >= PULSE_TIMES.heldUpMs;
    this.#lastTickAt = now;
    this.#ticks += 1;
    const present = new Set<NodeId>();
    for (const node of this.#options.nodes()) {
      present.add(node.id);
      const pulse = this.#pulses.get(node.id) ?? new NodePulse(node, this.#options);
      this.#pulses.set(node.id, pulse);
      pulse.tick(now, wasHeldUp, this.#ticks % LOOKS_A_QUESTION === 0);
    }
    for (const [id, pulse] of this.#pulses) {
      if (present.has(id)) continue;
      pulse.close();
      this.#pulses.delete(id);
    }
  }
}

/** Of one node, through all its processes. */
class NodePulse {
  readonly #node: SupervisedNode;
  readonly #options: PulseOptions;
  #process: ProcessIdentity | null = null;
  #pulse: Pulse = newPulse(0);
  #line: NodeConnection | null = null;
  /** A question has no answer yet. */
  #asking = false;
  /** Whether the shard could do without it is being found out, or it is being ended. */
  #deciding = false;
  #askAgainAt = 0;

  constructor(node: SupervisedNode, options: PulseOptions) {
    this.#node = node;
    this.#options = options;
  }

  /** @param wasHeldUp we did not run for a while ourselves */
  tick(now: number, wasHeldUp: boolean, isToAsk: boolean): void {
    const { process } = this.#node;
    if (process !== this.#process) this.#begin(process, now);
    if (process === null) return;
    if (wasHeldUp) this.#pulse = begunAnew(this.#pulse, now);
    if (isToAsk && !this.#asking) void this.#ask(process);
    this.#look(process, now);
    this.#tell(now);
    if (this.#mayBeDue(now)) void this.#decide(process);
  }

  close(): void {
    this.#line?.close();
    this.#line = null;
  }

  #begin(process: ProcessIdentity | null, now: number): void {
    this.close();
    this.#process = process;
    this.#pulse = newPulse(now, this.#pulse.ended);
    this.#askAgainAt = 0;
  }

  async #ask(process: ProcessIdentity): Promise<void> {
    this.#asking = true;
    this.#pulse = asked(this.#pulse, performance.now());
    const says = await this.#question();
    this.#asking = false;
    if (says && process === this.#process) this.#pulse = answered(this.#pulse, says, performance.now());
  }

  /** What it says of itself; null when it says nothing. Any answer is a sign of life, one that turns us away as well. */
  async #question(): Promise<'well' | 'loading' | 'busy' | null> {
    try {
      this.#line ??= this.#node.connect({ commandTimeoutMs: QUESTION_TIMEOUT_MS });
      const askedAt = performance.now();
      const [pong, info] = await this.#line.pipeline(SIGNS);
      if (!(info instanceof ReplyError)) this.#noteWritten(String(info), askedAt);
      return pong instanceof ReplyError ? (SAYS[pong.code] ?? 'well') : 'well';
    } catch (error) {
      const isAnswer = error instanceof EngineUnreachable && ANSWERS.has(error.reason);
      return isAnswer ? 'well' : null;
    }
  }

  #noteWritten(info: string, at: number): void {
    const { role, history, offset } = replicationInfo(parseInfo(info));
    if (role === 'primary') this.#node.written = withMark(this.#node.written, { at, history, offset });
  }

  #look(process: ProcessIdentity, now: number): void {
    const { unansweredSince } = this.#pulse;
    if (unansweredSince === null || now - unansweredSince < PULSE_TIMES.lookMs / 2) return;
    const look = lookAtProcess(process);
    if (look) this.#pulse = looked(this.#pulse, look, now);
  }

  #tell(now: number): void {
    const before = this.#pulse.told;
    this.#pulse = withTold(this.#pulse, now);
    const { told } = this.#pulse;
    if (told === before) return;
    this.#node.pulse = { state: told.state, since: Math.round(Date.now() - (now - told.since)) };
    this.#options.changed(this.#node);
  }

  /** It is to be ended in one case or another; which it is takes finding out. */
  #mayBeDue(now: number): boolean {
    if (this.#deciding || now < this.#askAgainAt) return false;
    return isToBeEnded(this.#pulse, 'replaced', now) || isToBeEnded(this.#pulse, 'spared', now);
  }

  async #decide(process: ProcessIdentity): Promise<void> {
    const { ifEnded, log } = this.#options;
    this.#deciding = true;
    try {
      const consequence = await ifEnded(this.#node);
      await this.#node.exclusively(() => this.#endIfDue(process, consequence));
    } catch (error) {
      log.error({ node: this.#node.id, err: error }, 'A node that gives no sign of life could not be ended.');
    } finally {
      this.#askAgainAt = performance.now() + PULSE_TIMES.askAgainMs;
      this.#deciding = false;
    }
  }

  /** Looks once more: it may have gone on meanwhile. */
  async #endIfDue(process: ProcessIdentity, consequence: IfEnded): Promise<void> {
    const now = performance.now();
    this.#look(process, now);
    if (process !== this.#process || process !== this.#node.process) return;
    if (!isToBeEnded(this.#pulse, consequence, now)) return;
    const { state, since } = this.#pulse;
    const detail = `${WORDS[state]} for ${((now - since) / 1000).toFixed(1)} s, and was ended`;
    this.#options.log.warn({ node: this.#node.id, processId: process.pid, state, detail }, 'A node is ended by force.');
    this.#pulse = ended(this.#pulse, now);
    this.#node.endedFor = state;
    await this.#node.end(detail);
  }
}

/** Of a primary it is heard as well how much it has written. */
const SIGNS = [['PING'], ['INFO', 'replication']] as const;

const SAYS: Readonly<Record<string, 'loading' | 'busy'>> = { LOADING: 'loading', BUSY: 'busy' };

/** Reasons for which there is no connection, though somebody answers. */
const ANSWERS: ReadonlySet<string> = new Set(['not_admitted', 'not_trusted', 'not_resp']);

const WORDS: Readonly<Record<Pulse['state'], string>> = {
  well: 'it was well',
  loading: 'it loaded its data',
  busy: 'it was busy',
  silent: 'it did not answer',
  stopped: 'it was stopped',
  disk: 'it waited for its disk',
  hung: 'it hung',
};
