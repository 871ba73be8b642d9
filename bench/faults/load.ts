/** The load as its driver sees it: a process on one of the hosts that is told what to do. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Host } from '../../test/support/hosts.ts';
import type { ReadBack, Write } from './history.ts';
import type { Target } from './load-client.ts';
import type { LoadOrder } from './load-process.ts';

const PROGRAM = join(import.meta.dirname, 'load-process.ts');
/** Beyond the endpoint's own patience with a command, 10 s. */
const LAST_ANSWERS_MS = 15_000;
/** Of what it says at last, if it ends by itself. */
const SAID_CHARACTERS = 4_000;

export class Load {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;
  #said = '';

  /** Starts the process on this host. It connects with its first write. */
  constructor(host: Host, target: Target) {
    const [program, ...args] = host.words([process.execPath, PROGRAM, JSON.stringify(target)]);
    this.#child = spawn(program!, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    // Libraries complain here of every connection that fails, which is what is measured.
    this.#child.stderr!.on('data', (chunk: Buffer) => (this.#said = `${this.#said}${chunk}`.slice(-SAID_CHARACTERS)));
    this.#answers = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  /** Writes so many keys a second, to shards and their tags in turn. */
  begin(prefix: string, perSecond: number, tags: string[][]): Promise<null> {
    return this.#tell({ order: 'begin', prefix, perSecond, tags });
  }

  /** When a write sent after the moment was acknowledged; null when none was in time. */
  accepted(shard: number, after: number, withinMs: number): Promise<number | null> {
    return this.#tell({ order: 'accepted', shard, after, withinMs });
  }

  /** Ends it and gives all that was written. */
  async end(): Promise<Write[]> {
    type Row = [number, number, number | null, string];
    const rows = await this.#tell<Row[]>({ order: 'end', withinMs: LAST_ANSWERS_MS });
    return rows.map(([shard, sentAt, answeredAt, outcome]) => ({ shard, sentAt, answeredAt, outcome }));
  }

  /** Reads everything back and removes it. `spoil` acknowledged writes are removed before, to see that it is noticed. */
  verify(spoil = 0): Promise<ReadBack> {
    return this.#tell({ order: 'verify', spoil });
  }

  close(): void {
    this.#child.stdin!.end();
  }

  async #tell<T>(order: LoadOrder): Promise<T> {
    this.#child.stdin!.write(`${JSON.stringify(order)}\n`);
    const { value, done } = await this.#answers.next();
    if (done) throw new Error(`the load ended by itself when it was told to ${order.order}: ${this.#said}`);
    return JSON.parse(value) as T;
  }
}
