/** Writers on another host, and what they saw. */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Host } from './hosts.ts';
import type { Verified, WriterOptions, WriteWindow } from './net-writer.ts';

const PROGRAM = join(import.meta.dirname, 'net-writer.ts');

export class NetWriters {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  static async start(host: Host, options: WriterOptions): Promise<NetWriters> {
    const [program, ...args] = host.words([process.execPath, PROGRAM, JSON.stringify(options)]);
    const child = spawn(program!, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    const writers = new NetWriters(child);
    await writers.#answer();
    return writers;
  }

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#answers = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  }

  /** What was seen since the last mark. */
  mark(): Promise<WriteWindow> {
    return this.#tell('mark');
  }

  /** Everything that was ever acknowledged is read back. */
  verify(): Promise<Verified> {
    return this.#tell('verify');
  }

  close(): void {
    this.#child.stdin!.end();
  }

  #tell<T>(line: string): Promise<T> {
    this.#child.stdin!.write(`${line}\n`);
    return this.#answer();
  }

  async #answer<T>(): Promise<T> {
    const { value, done } = await this.#answers.next();
    if (done) throw new Error('the writers ended by themselves');
    return JSON.parse(value) as T;
  }
}
