/** Questions to a fleet, asked by a process on another host. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { DatabaseStatus } from '../../src/domain/status.ts';
import type { Host } from '../support/hosts.ts';
import type { Address } from './client-options.ts';
import type { Final } from './history.ts';

interface Questions {
  /** What the control plane publishes. `ca` and `token` are files. */
  status: { url: string; ca: string; token: string; database: string };
  /** Values by key; true with those that are lists. */
  finals: { endpoint: Address; password: string | null; keys: readonly (readonly [key: string, isList: boolean])[] };
  /** What each node says of who owns which slots. */
  owners: { nodes: readonly Address[]; identity: string; authorities: string; password: string | null };
}
export interface Answers {
  status: DatabaseStatus;
  finals: [string, Final][];
  owners: string[][];
}
type Kind = keyof Questions;
export type Question<K extends Kind = Kind> = { [Each in K]: { ask: Each } & Questions[Each] }[K];

const PROGRAM = join(import.meta.dirname, 'observer-process.ts');

export class Observer {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  #asked = 0;

  constructor(host: Host) {
    const [program, ...args] = host.words([process.execPath, PROGRAM]);
    this.#child = spawn(program!, args, { cwd: import.meta.dirname, stdio: ['pipe', 'pipe', 'inherit'] });
    createInterface({ input: this.#child.stdout! }).on('line', (line) => this.#answered(line));
    this.#child.once('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the observer ended'));
    });
  }

  /** @throws Error with what went wrong at the other side */
  ask<K extends Kind>(ask: K, question: Questions[K]): Promise<Answers[K]> {
    this.#asked += 1;
    const id = this.#asked;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (value: never) => void, reject });
      this.#child.stdin!.write(`${JSON.stringify({ id, question: { ask, ...question } })}\n`);
    });
  }

  close(): void {
    this.#child.stdin!.end();
  }

  #answered(line: string): void {
    const { id, value, error } = JSON.parse(line) as { id: number; value?: never; error?: string };
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(value!);
    else waiting?.reject(new Error(error));
  }
}
