/**
 * Who votes, as the agents are told: a record in the store, changed by one voter at a time, and told to every agent when
 * it comes and on every change.
 */
import type { MachineRecord } from '../domain/machine.ts';
import { NO_VOTERS, type VoterList } from '../domain/roster.ts';
import type { EndTimer } from '../platform/clock.ts';
import type { Store } from '../store/store.ts';
import type { Machine } from './agents.ts';
import { type Member, nextVoters } from './next-voters.ts';
import { Teller, type TellerSurroundings } from './teller.ts';

const KEY = 'voters';
const RETRY_MS = 1_000;

/** The list in the store. */
export class VoterRecord {
  readonly #store: Store;
  #list: VoterList = NO_VOTERS;
  #revision: number | 'absent' = 'absent';

  private constructor(store: Store) {
    this.#store = store;
  }

  static async open(store: Store): Promise<VoterRecord> {
    const record = new VoterRecord(store);
    await record.#read();
    return record;
  }

  get list(): VoterList {
    return this.#list;
  }

  /** Resolves when it is stored, or another is there instead. */
  async replace(list: VoterList): Promise<void> {
    const done = await this.#store.commit([{ put: KEY, value: list, expect: this.#revision }]);
    if (!done.ok) return this.#read();
    this.#list = list;
    this.#revision = done.revision;
  }

  async #read(): Promise<void> {
    const entry = await this.#store.get<VoterList>(KEY);
    this.#list = entry?.value ?? NO_VOTERS;
    this.#revision = entry?.revision ?? 'absent';
  }
}

export interface VotersOptions extends TellerSurroundings {
  record: VoterRecord;
  machines: () => readonly MachineRecord[];
}

export class Voters {
  readonly #options: VotersOptions;
  readonly #teller: Teller<'set_voters'>;
  /** Who has the present list on disk. */
  #confirmed = new Set<string>();
  /** The latest version that any agent has. */
  #latestSeen = 0;
  #changing = false;
  #again = false;
  #endTimer: EndTimer | null = null;
  #closed = false;

  constructor(options: VotersOptions) {
    this.#options = options;
    const { record } = options;
    this.#teller = new Teller({
      ...options,
      operation: 'set_voters',
      wanted: () => () => (record.list.version === NO_VOTERS.version ? null : record.list),
      heard: (machine, { version }, { version: theirs }) => this.#heard(machine, version, theirs),
    });
  }

  get list(): VoterList {
    return this.#options.record.list;
  }

  /** Its agent came or went. */
  forget(machine: string): void {
    this.#teller.forget(machine);
  }

  /** Machines came, went, were removed, or have moved. */
  changed(): void {
    this.#teller.changed();
    void this.#change();
  }

  close(): void {
    this.#closed = true;
    this.#endTimer?.();
    this.#teller.close();
  }

  #heard(machine: string, version: number, theirs: number): void {
    const { log, record } = this.#options;
    if (theirs > record.list.version) {
      log.warn(
        { machine, ours: record.list.version, theirs },
        'An agent has a later list of voters: the store is older.',
      );
      this.#latestSeen = Math.max(this.#latestSeen, theirs);
    } else if (version === record.list.version) this.#confirmed.add(machine);
    void this.#change();
  }

  /** As many changes as may follow one another now. */
  async #change(): Promise<void> {
    this.#again = true;
    if (this.#changing || this.#closed) return;
    const { clock, log, record } = this.#options;
    this.#changing = true;
    this.#endTimer?.();
    try {
      while (this.#again && !this.#closed) {
        const next = this.#next();
        this.#again = next !== null;
        if (next === null) break;
        await record.replace(next);
        this.#confirmed = new Set();
        log.info({ ...record.list }, 'There is a new list of voters.');
        this.#teller.changed();
      }
    } catch (error) {
      if (this.#closed) return;
      log.warn({ err: error }, 'The list of voters could not be changed.');
      this.#endTimer = clock.timer(RETRY_MS, () => void this.#change());
    } finally {
      this.#changing = false;
    }
  }

  /** Of a store that was put back, the list is told anew, above all that agents have; they confirm it first. */
  #next(): VoterList | null {
    const { agents, machines, record } = this.#options;
    if (this.#latestSeen <= record.list.version) {
      return nextVoters(record.list, membersOf(machines(), agents.machines()), this.#confirmed);
    }
    const voters = record.list.voters.map((voter) => ({ ...voter, leased: false }));
    return { version: this.#latestSeen + 1, voters };
  }
}

/** Machines that were not removed; where they answer is known of those whose agents are connected. */
function membersOf(records: readonly MachineRecord[], machines: readonly Machine[]): Member[] {
  const connected = new Map(machines.filter((machine) => machine.connected).map((machine) => [machine.name, machine]));
  return records
    .filter(({ state }) => state !== 'removed')
    .map(({ name }) => {
      const { address, neighbourPort } = connected.get(name) ?? { address: '', neighbourPort: null };
      return { machine: name, at: neighbourPort === null ? null : { address, port: neighbourPort } };
    });
}
