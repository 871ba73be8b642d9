/**
 * The line to one neighbour, as `NeighbourLine` over the modelled network: a connection that the first question opens
 * and that a question without an answer costs. A host that is up and whose agent is not refuses.
 */

import { type Heard, MOST_WAITING } from '../../../src/agent/neighbour-line.ts';
import type { Line } from '../../../src/agent/neighbours.ts';
import type { Voter } from '../../../src/domain/roster.ts';
import type { Clock } from '../../../src/platform/clock.ts';
import type { Answer, Question } from '../../../src/protocol/neighbour-messages.ts';
import { ANSWER_MS } from '../../../src/quorum/times.ts';
import { agentOf, type Network } from '../network.ts';
import type { Timeline } from '../timeline.ts';

const SILENT: Heard = { how: 'silent' };

/** A machine, as another one's agent reaches it. */
export interface Door {
  /** Without power: nothing answers, nothing refuses. */
  readonly down: boolean;
  readonly agentUp: boolean;
  /** @param version of the voters that the asking agent knows */
  asked(version: number, question: Question, answer: (answer: Answer) => void): void;
}

export interface LineSurroundings {
  timeline: Timeline;
  network: Network;
  /** Of the asking agent; stands still once that is dead. */
  clock: Clock;
  machine: string;
  doorOf(machine: string): Door;
}

export class ModelLine implements Line {
  readonly voter: Voter;
  readonly #around: LineSurroundings;
  /** Grows with each connection: what an earlier one brings is not heard. */
  #connection = 0;
  #open = false;
  #waiting = 0;
  #closed = false;

  constructor(voter: Voter, around: LineSurroundings) {
    this.voter = voter;
    this.#around = around;
  }

  ask(version: number, question: Question): Promise<Heard> {
    if (this.#closed || this.#waiting >= MOST_WAITING) return Promise.resolve(SILENT);
    const { clock, timeline } = this.#around;
    const connection = this.#connection;
    const askedAt = clock.now();
    const { promise, resolve } = Promise.withResolvers<Heard>();
    this.#waiting += 1;
    let settled = false;
    const settle = (heard: Heard): void => {
      if (settled || this.#closed) return;
      settled = true;
      this.#waiting -= 1;
      endTimer();
      if (heard.how !== 'answered' && connection === this.#connection) this.#lose();
      timeline.woke();
      resolve(heard);
    };
    const endTimer = clock.timer(ANSWER_MS, () => settle(SILENT));
    this.#carry(() =>
      this.#arrived(
        version,
        question,
        (answer) => {
          if (connection === this.#connection) settle({ how: 'answered', answer, askedAt });
        },
        () => settle({ how: 'refused', askedAt }),
      ),
    );
    return promise;
  }

  close(): void {
    this.#closed = true;
  }

  #lose(): void {
    this.#connection += 1;
    this.#open = false;
  }

  /** Over the connection, or with its first packets, which a cut link loses. */
  #carry(deliver: () => void): void {
    const { network, machine } = this.#around;
    const [here, there] = [agentOf(machine), agentOf(this.voter.machine)];
    if (this.#open) return network.stream(here, there, deliver);
    network.send(here, there, () => network.send(there, here, () => network.stream(here, there, deliver)));
  }

  #arrived(version: number, question: Question, answered: (answer: Answer) => void, refused: () => void): void {
    const { network, machine, doorOf } = this.#around;
    const [here, there] = [agentOf(machine), agentOf(this.voter.machine)];
    const door = doorOf(this.voter.machine);
    if (door.down) return;
    if (!door.agentUp) return network.send(there, here, refused);
    this.#open = true;
    door.asked(version, question, (answer) => network.stream(there, here, () => answered(answer)));
  }
}
