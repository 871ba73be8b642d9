/** Whoever kills: a process beside this one, see `strike-process.ts`. One kill for each aim. */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Node } from './admin.ts';
import type { JobSeen } from './job-states.ts';
import type { Moment, Step, Victim } from './pairs.ts';

export interface Aim {
  victim: Victim;
  moment: Moment;
  /** For a state of a job: of the first one that is this one in the order of jobs, or a later one. */
  job: number;
  /** From the moment to the kill. */
  delayMs: number;
  /** Whose endpoint. */
  machine: string;
}

/** Who gives and who takes, as long as no job tells: ids of nodes. */
export interface Parties {
  source: string;
  target: string;
}

/** A kill that was tried. */
export interface Struck {
  /** Milliseconds since the epoch. */
  at: number;
  pid: number | null;
  /** The node, or the machine of agent or endpoint. */
  what: string;
  /** The latest job, as it was seen last before the kill. */
  job: JobSeen | null;
  /** Why nothing was killed. */
  failure: string | null;
}

export type Order =
  | { kind: 'nodes'; nodes: readonly Node[]; likely: Parties }
  | { kind: 'aim'; aim: Aim }
  | { kind: 'strike' }
  | { kind: 'rest' };
export type Report = { kind: 'aiming' } | { kind: 'resting' } | ({ kind: 'struck' } & Struck);

const PROGRAM = join(import.meta.dirname, 'strike-process.ts');
/** Beyond any delay before a kill. */
const ANSWER_MS = 10_000;
const POLL_MS = 5;

export class Striker {
  readonly #child: ChildProcess;
  readonly #onStruck: (struck: Struck, victim: Victim) => void;
  #aim: Aim | null = null;
  #struck: Struck | null = null;
  #isDue = false;
  #told = '';

  /** Says at once who was struck. */
  constructor(dataDir: string, onStruck: (struck: Struck, victim: Victim) => void) {
    this.#onStruck = onStruck;
    this.#child = fork(PROGRAM, [dataDir]);
    this.#child.on('message', (report: Report) => this.#heard(report));
  }

  /** The primaries: who is there to be asked and killed. */
  know(nodes: readonly Node[], likely: Parties): void {
    const text = JSON.stringify([nodes, likely]);
    if (text === this.#told) return;
    this.#told = text;
    this.#send({ kind: 'nodes', nodes, likely });
  }

  /** From now on it waits for the moment. */
  async aim(aim: Aim): Promise<void> {
    this.#struck = null;
    this.#isDue = false;
    this.#aim = aim;
    await this.#answered('aiming', { kind: 'aim', aim });
  }

  /** The step has been reached, or is asked for now. */
  reached(step: Step): void {
    if (this.#isDue || this.#aim?.moment !== `step:${step}`) return;
    this.#isDue = true;
    this.#send({ kind: 'strike' });
  }

  /** The kill, if the moment came; then it rests. */
  async rest(): Promise<Struck | null> {
    const deadline = performance.now() + (this.#aim?.delayMs ?? 0) + ANSWER_MS;
    while (this.#isDue && this.#struck === null && performance.now() < deadline) await sleep(POLL_MS);
    await this.#answered('resting', { kind: 'rest' });
    this.#aim = null;
    return this.#struck;
  }

  close(): void {
    this.#child.disconnect();
  }

  #send(order: Order): void {
    this.#child.send(order);
  }

  /** @throws Error when it does not */
  #answered(kind: Report['kind'], order: Order): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`the striker does not answer: ${order.kind}`)), ANSWER_MS);
      const heard = (report: Report): void => {
        if (report.kind !== kind) return;
        clearTimeout(timer);
        this.#child.off('message', heard);
        resolve();
      };
      this.#child.on('message', heard);
      this.#send(order);
    });
  }

  #heard(report: Report): void {
    if (report.kind !== 'struck' || this.#aim === null) return;
    const { kind: _, ...struck } = report;
    this.#struck = struck;
    this.#onStruck(struck, this.#aim.victim);
  }
}
