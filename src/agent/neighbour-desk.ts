/** Answers what neighbours ask: leases and claims by what this voter has promised, and news for the endpoint. */
import type { NodeId } from '../domain/ids.ts';
import { mayBeReplaced } from '../domain/roster.ts';
import type { Clock } from '../platform/clock.ts';
import type { Answer, NodeAddress, Question } from '../protocol/neighbour-messages.ts';
import { AHEAD_MS } from '../quorum/times.ts';
import { Votes } from '../quorum/vote.ts';
import type { Roster } from './roster.ts';

/** In whose name it is asked. */
const speakerOf = (question: Question, from: string): string => {
  if (question.ask === 'lease') return question.machine;
  return question.ask === 'claim' || question.ask === 'release' ? question.by : from;
};

export interface DeskSurroundings {
  roster: Roster;
  /** Monotonic. */
  clock: Clock;
  isAnyReached: (addresses: readonly NodeAddress[]) => Promise<boolean>;
  /** Primaries of a database (by uid) are elsewhere, a neighbour says. */
  moved: (databaseUid: string) => void;
  /** How long the endpoint here held back commands of late that this node took at last, in milliseconds. */
  waited: (databaseUid: string, node: NodeId) => Promise<number>;
}

export class NeighbourDesk {
  readonly votes: Votes;
  readonly #around: DeskSurroundings;

  constructor(around: DeskSurroundings) {
    this.#around = around;
    this.votes = new Votes(around.clock.now());
  }

  /** @param from the machine that asks, as its certificate says; null: nobody's word but its own */
  async answer(question: Question, from: string | null): Promise<Answer> {
    if (from !== null && speakerOf(question, from) !== from)
      return { kind: 'denied', reason: `${from} speaks for itself alone` };
    switch (question.ask) {
      case 'lease': {
        const vote = this.votes.grant(question.machine, this.#around.clock.now());
        return 'denied' in vote ? { kind: 'denied', reason: vote.denied } : { kind: 'granted', claimed: vote.granted };
      }
      case 'claim': {
        const { machine } = question;
        if (!mayBeReplaced(this.#around.roster.voters, machine)) {
          return { kind: 'denied', reason: `${machine} has not confirmed that it stops without a lease` };
        }
        const isReached = await this.#isReached(machine, question.nodes);
        const vote = this.votes.claim(question, isReached, this.#around.clock.now());
        return vote.agreed ? { kind: 'agreed' } : { kind: 'denied', reason: vote.reason };
      }
      case 'release':
        this.votes.release(question, this.#around.clock.now());
        return { kind: 'noted' };
      case 'moved':
        this.#around.moved(question.database);
        return { kind: 'noted' };
      case 'waited':
        return { kind: 'waited', ms: await this.#around.waited(question.database, question.node) };
    }
  }

  /** Found out while the rest of its lease runs out; not tried where that takes longer, and the answer is no anyhow. */
  async #isReached(machine: string, nodes: readonly NodeAddress[]): Promise<boolean> {
    const { clock, isAnyReached } = this.#around;
    const leftMs = this.votes.leftMs(machine, clock.now());
    if (leftMs > AHEAD_MS) return false;
    const runsOut = leftMs > 0 ? clock.sleep(Math.ceil(leftMs) + 1) : null;
    const [isReached] = await Promise.all([isAnyReached([...this.#doorOf(machine), ...nodes]), runsOut]);
    return isReached;
  }

  /** Where the machine's agent listens. */
  #doorOf(machine: string): NodeAddress[] {
    const voter = this.#around.roster.voters.voters.find((one) => one.machine === machine);
    return voter ? [{ host: voter.address, port: voter.port }] : [];
  }
}
