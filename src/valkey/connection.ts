/**
 * One connection to one node, for administration: commands are pipelined in the order they are given. It connects with
 * the first command and again after a loss. A command that is not answered in time costs the connection: its late
 * answer must never be taken for the answer to a later command.
 *
 *     pipeline()  ->  [ batch | batch | batch ]  <-  replies, to the first batch that lacks some
 *                       all unsent until the session is ready, all sent from then on
 */
import { type CommandArgument, encodeCommand } from '../resp/encode.ts';
import { type Reply, ReplyError } from '../resp/reply.ts';
import { startDeadline } from './deadline.ts';
import { EngineReplyError, EngineUnreachable } from './engine-errors.ts';
import { Session, type SessionOptions } from './session.ts';

export { EngineReplyError, EngineUnreachable } from './engine-errors.ts';

export interface NodeConnectionOptions extends SessionOptions {
  /** From sending to the last answer of one call. */
  commandTimeoutMs: number;
  /** Commands that may wait for an answer at once. */
  maxQueued: number;
  /** An admitted connection is lost, idle or not; told at once, and not by `close()`. */
  onLost?: () => void;
}

/** What it takes to give a node commands; a `NodeConnection` on real machines. */
export interface NodeCommands {
  /** From sending to the last answer of one call. */
  readonly commandTimeoutMs: number;
  /** The answer. @throws EngineReplyError for an error reply, EngineUnreachable when there is none */
  command(...args: CommandArgument[]): Promise<Reply>;
  /** The answers, in order; error replies stay in their places. @throws EngineUnreachable when one is missing */
  pipeline(commands: readonly (readonly CommandArgument[])[]): Promise<Reply[]>;
}

/** Commands of one call, which fail together. */
interface Batch {
  frames: Buffer;
  size: number;
  replies: Reply[];
  resolve: (replies: Reply[]) => void;
  reject: (why: EngineUnreachable) => void;
  endDeadline: () => void;
}

export class NodeConnection implements NodeCommands {
  readonly #options: NodeConnectionOptions;
  #session: Session | null = null;
  /** What has not all its answers yet, oldest first. */
  #waiting: Batch[] = [];
  /** Commands in `#waiting`. */
  #queued = 0;
  #closed = false;

  constructor(options: NodeConnectionOptions) {
    this.#options = options;
  }

  get commandTimeoutMs(): number {
    return this.#options.commandTimeoutMs;
  }

  /** The answer. @throws EngineReplyError for an error reply, EngineUnreachable when there is none */
  async command(...args: CommandArgument[]): Promise<Reply> {
    const [reply] = await this.pipeline([args]);
    if (reply instanceof ReplyError) throw new EngineReplyError(String(args[0]), reply);
    return reply!;
  }

  /** The answers, in order; error replies stay in their places. @throws EngineUnreachable when one is missing */
  pipeline(commands: readonly (readonly CommandArgument[])[]): Promise<Reply[]> {
    return new Promise((resolve, reject) => {
      const frames = Buffer.concat(commands.map(encodeCommand));
      const refusal = this.#refusal(commands.length);
      if (refusal) {
        reject(refusal);
        return;
      }
      this.#session ??= this.#connect();
      const batch = { frames, size: commands.length, replies: [], resolve, reject, endDeadline: () => {} };
      this.#waiting.push(batch);
      this.#queued += batch.size;
      if (this.#session.isReady) this.#send([batch]);
    });
  }

  /** Connects if it is not connected. @throws EngineUnreachable */
  async open(): Promise<void> {
    await this.pipeline([]);
  }

  /** Ends it for good; what waits for an answer is told so, as is what comes later. */
  close(): void {
    this.#closed = true;
    this.#session?.end();
    this.#session = null;
    this.#rejectAll(this.#unreachable('closed', 'closed by us'));
  }

  #refusal(commands: number): EngineUnreachable | null {
    const { maxQueued } = this.#options;
    if (this.#closed) return this.#unreachable('closed', 'closed by us');
    if (this.#queued + commands <= maxQueued) return null;
    return this.#unreachable('too_many_commands', `more than ${maxQueued} commands wait for answers`);
  }

  #unreachable(reason: EngineUnreachable['reason'], detail: string): EngineUnreachable {
    return new EngineUnreachable(reason, `${this.#options.host}:${this.#options.port}: ${detail}`);
  }

  #connect(): Session {
    return new Session(this.#options, {
      ready: () => this.#send(this.#waiting),
      reply: (reply) => this.#answered(reply),
      ended: (why, wasReady) => this.#ended(why, wasReady),
    });
  }

  #send(batches: readonly Batch[]): void {
    const { commandTimeoutMs } = this.#options;
    for (const batch of batches) {
      batch.endDeadline = startDeadline(commandTimeoutMs, () =>
        this.#drop(this.#unreachable('timeout', `no answer within ${commandTimeoutMs} ms`)),
      );
    }
    this.#session!.write(Buffer.concat(batches.map(({ frames }) => frames)));
    this.#finishAnswered();
  }

  #answered(reply: Reply): void {
    const batch = this.#waiting[0];
    if (!batch) return this.#drop(this.#unreachable('not_resp', 'it answered what nobody asked'));
    batch.replies.push(reply);
    this.#queued -= 1;
    this.#finishAnswered();
  }

  /** A batch is done with its last answer; an empty one (`open`) when it is its turn. */
  #finishAnswered(): void {
    for (let batch = this.#waiting[0]; batch && batch.replies.length === batch.size; batch = this.#waiting[0]) {
      this.#waiting.shift();
      batch.endDeadline();
      batch.resolve(batch.replies);
    }
  }

  /** The connection cannot be trusted any more. */
  #drop(why: EngineUnreachable): void {
    this.#session?.end();
    this.#ended(why, true);
  }

  #ended(why: EngineUnreachable, wasReady: boolean): void {
    this.#session = null;
    this.#rejectAll(why);
    if (wasReady) this.#options.onLost?.();
  }

  #rejectAll(why: EngineUnreachable): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#queued = 0;
    for (const batch of waiting) {
      batch.endDeadline();
      batch.reject(why);
    }
  }
}
