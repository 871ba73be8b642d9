/** The load as its driver sees it: a process that is told what to do. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Stage } from '../support/stage.ts';
import type { Text } from './data.ts';
import type { History, ReadBack } from './history.ts';
import type { LoadOrder } from './load-process.ts';
import type { Target } from './system.ts';

const PROGRAM = join(import.meta.dirname, 'load-process.ts');

export class Load {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  /** Starts the process; it connects at once. */
  constructor(stage: Stage, target: Target) {
    this.#child = spawn(process.execPath, [PROGRAM, JSON.stringify(target)], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#answers = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
    stage.after(() => this.#child.kill('SIGKILL'));
  }

  /** So many operations a second over so many keys; what is written has this version. With `half`, no key is new. */
  begin(version: string, keys: number, perSecond: number, text: Text = 'random'): Promise<null> {
    return this.#tell({ order: 'begin', version, keys, perSecond, text });
  }

  end(): Promise<History> {
    return this.#tell({ order: 'end' });
  }

  /** `spoil` acknowledged writes are removed before, to see that it is noticed. */
  verify(spoil: number): Promise<ReadBack> {
    return this.#tell({ order: 'verify', spoil });
  }

  async #tell<T>(order: LoadOrder): Promise<T> {
    this.#child.stdin!.write(`${JSON.stringify(order)}\n`);
    const { value, done } = await this.#answers.next();
    if (done) throw new Error(`the load ended by itself when it was told to ${order.order}`);
    return JSON.parse(value) as T;
  }
}
