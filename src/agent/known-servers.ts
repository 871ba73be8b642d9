/**
 * What an agent knows of control planes: where they are, and the latest term of each fleet that it has seen. Kept in its
 * folder, so that a restart forgets neither: a former leader must not be obeyed because its agent was started again.
 */
import { join } from 'node:path';
import { ValkeeperError } from '../domain/errors.ts';
import { readJson, writeFileAtomic } from '../platform/files.ts';
import type { FleetTerm } from '../protocol/agent-messages.ts';

const FILE = 'servers.json';
/** Of a fleet, at most; what is beyond is not remembered. */
const MOST_SERVERS = 32;
/** Of those that were told of once and are away; each that is gone for good costs a try that may hang for a while. */
const MOST_AWAY = 8;

interface Content {
  term: FleetTerm | null;
  servers: readonly string[];
}

export class KnownServers {
  readonly #path: string;
  readonly #given: readonly string[];
  readonly #scheme: 'any' | 'https';
  #told: readonly string[];
  #term: FleetTerm | null;
  /** The one that was tried last. */
  #tried = '';
  /** The one that answered last, until it is tried again. */
  #answered: string | null = null;
  #writing: Promise<void> = Promise.resolve();

  /**
   * @param given where servers are, as whoever set up the agent has it; one that answers tells of the others
   * @param scheme of URLs that are gone to: only https for a machine that shows a certificate
   * @throws file_unusable, file_damaged
   */
  static async open(dir: string, given: readonly string[], scheme: 'any' | 'https' = 'any'): Promise<KnownServers> {
    const path = join(dir, FILE);
    const content = (await readJson(path)) as Partial<Content> | undefined;
    const { term = null, servers = [] } = content ?? {};
    const isTerm = term === null || (typeof term.fleet === 'string' && Number.isSafeInteger(term.number));
    if (!isTerm || !Array.isArray(servers)) {
      throw new ValkeeperError('file_damaged', { path, problem: 'it names no term, or no servers' });
    }
    return new KnownServers(path, given, { term, servers }, scheme);
  }

  private constructor(path: string, given: readonly string[], { term, servers }: Content, scheme: 'any' | 'https') {
    this.#scheme = scheme;
    this.#path = path;
    this.#given = given;
    this.#term = term;
    this.#told = servers;
  }

  /** All there may be, as URLs of their APIs: those that were given first. */
  get all(): string[] {
    return [...new Set([...this.#given, ...this.#told])];
  }

  /** Whether this agent goes there. */
  accepts(server: string): boolean {
    const protocol = URL.parse(server)?.protocol;
    return protocol === 'https:' || (protocol === 'http:' && this.#scheme === 'any');
  }

  /** The one to try now: after a failure the next in line. */
  next(): string {
    const all = this.all;
    this.#tried = this.#answered ?? all[(all.indexOf(this.#tried) + 1) % all.length]!;
    this.#answered = null;
    return this.#tried;
  }

  /** One that answered is tried first when its connection is lost. */
  stay(server: string): void {
    this.#answered = server;
  }

  /**
   * A server says that it leads. Resolves when that is on disk; a term that has been seen already costs nothing.
   * @throws term_over when a later term of its fleet has been seen; file_unusable
   */
  async enter(term: FleetTerm | null): Promise<void> {
    if (term === null) return;
    const seen = this.#term?.fleet === term.fleet ? this.#term.number : Number.NEGATIVE_INFINITY;
    if (term.number < seen) throw new ValkeeperError('term_over', { term: term.number, seen });
    if (term.number === seen) return;
    this.#term = term;
    await this.#write();
  }

  /**
   * Where the servers of the fleet are that run now, as its leader tells. One that ran before is not forgotten: it may be
   * the only one that is back when this leader is gone.
   * @throws file_unusable
   */
  async learn(servers: readonly string[]): Promise<void> {
    const running = servers.filter((server) => this.accepts(server)).slice(0, MOST_SERVERS);
    if (running.length === 0) return;
    const away = this.#told.filter((server) => !running.includes(server)).slice(0, MOST_AWAY);
    const told = [...running, ...away];
    if (told.join() === this.#told.join()) return;
    this.#told = told;
    await this.#write();
  }

  /** One at a time, so that the last state is what stays. */
  #write(): Promise<void> {
    const write = (): Promise<void> => {
      const content: Content = { term: this.#term, servers: this.#told };
      return writeFileAtomic(this.#path, `${JSON.stringify(content)}\n`);
    };
    this.#writing = this.#writing.then(write, write);
    return this.#writing;
  }
}
