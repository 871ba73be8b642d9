/** What this agent asks others: one line to each, and the list of voters taken over from whoever has a newer one. */
import type { ClientOptions } from 'ws';
import type { Voter } from '../domain/roster.ts';
import type { Logger } from '../platform/log.ts';
import type { Question } from '../protocol/neighbour-messages.ts';
import type { MachineCredentials } from '../trust/credential-files.ts';
import { clientOptions } from '../trust/credentials.ts';
import { type Heard, type LineOptions, NeighbourLine } from './neighbour-line.ts';
import type { Roster } from './roster.ts';

/** As `NeighbourLine`. */
export type Line = Pick<NeighbourLine, 'ask' | 'close' | 'voter'>;

export interface NeighboursOptions {
  roster: Roster;
  /** What this machine shows and believes; null: it speaks no TLS, and comes with the token. */
  credentials: MachineCredentials | null;
  token: string | null;
  log: Logger;
  newLine?: (options: LineOptions) => Line;
}

export class Neighbours {
  readonly #options: NeighboursOptions;
  readonly #lines = new Map<string, Line>();
  readonly #prune = (): void => this.#closeUnknown();
  #closed = false;

  constructor(options: NeighboursOptions) {
    this.#options = options;
    options.roster.on('changed', this.#prune);
  }

  /**
   * One question, one answer; it never throws. Where the other has a newer list of voters, that is taken over and the
   * question put again, once; `newer-voters` is an answer only if that did not help.
   */
  async ask(voter: Voter, question: Question): Promise<Heard> {
    const { roster, log } = this.#options;
    if (this.#closed) return { how: 'silent' };
    const heard = await this.#lineTo(voter).ask(roster.voters.version, question);
    if (this.#closed || heard.how !== 'answered' || heard.answer.kind !== 'newer-voters') return heard;
    try {
      await roster.setVoters(heard.answer.voters);
    } catch (error) {
      log.warn({ err: error }, 'A newer list of voters is not taken over.');
      return heard;
    }
    const now = roster.voters.voters.find(({ machine }) => machine === voter.machine) ?? voter;
    return this.#closed ? heard : this.#lineTo(now).ask(roster.voters.version, question);
  }

  /** Ends every connection; who waits for an answer gets silence. */
  close(): void {
    this.#closed = true;
    this.#options.roster.off('changed', this.#prune);
    for (const line of this.#lines.values()) line.close();
    this.#lines.clear();
  }

  #lineTo(voter: Voter): Line {
    const present = this.#lines.get(voter.machine);
    if (present?.voter.address === voter.address && present.voter.port === voter.port) return present;
    present?.close();
    const { credentials, log, newLine = (options) => new NeighbourLine(options) } = this.#options;
    const access = (): ClientOptions => this.#access(voter.machine);
    const line = newLine({ voter, secure: credentials !== null, access, log });
    this.#lines.set(voter.machine, line);
    return line;
  }

  #access(name: string): ClientOptions {
    const { credentials, token } = this.#options;
    // The types of `ws` know of an older `checkServerIdentity`.
    if (credentials) return clientOptions(credentials.current, { kind: 'machine', name }) as object as ClientOptions;
    return token === null ? {} : { headers: { authorization: `Bearer ${token}` } };
  }

  #closeUnknown(): void {
    const known = new Set(this.#options.roster.voters.voters.map(({ machine }) => machine));
    for (const [machine, line] of this.#lines) {
      if (known.has(machine)) continue;
      line.close();
      this.#lines.delete(machine);
    }
  }
}
