/** One archive that is on: every so often a look at the database, its primaries' logs fetched, and what is too old removed. */
import { ARCHIVE_FORMAT, type LayoutDocument } from '../../backup/archive-schema.ts';
import type { ArchiveView, Span } from '../../domain/archive.ts';
import { type Database, shardNames } from '../../domain/database.ts';
import { ValkeeperError } from '../../domain/errors.ts';
import { countSlots, SLOT_COUNT } from '../../domain/slots.ts';
import type { AnsweringEngine, DatabaseView } from '../../domain/view.ts';
import { beyondDays, windowOf } from '../../plan/archive-window.ts';
import { isInSync, type Member, shardTopology } from '../../plan/topology.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Logger } from '../../platform/log.ts';
import type { Agents } from '../agents.ts';
import { Rate } from '../backups/rate.ts';
import { type Beginning, fetchLog, finishChain, isBehind, listLog, type Source } from './fetch.ts';
import type { ArchiveRecord } from './records.ts';
import type { Shelf, ShelvedChain } from './shelf.ts';

const DAY_SECONDS = 24 * 3_600;
const TIDY_MS = 3_600_000;
/** So long a chain's beginning is waited for. */
const BEGIN_WAIT_MS = 2_000;
/** So long after it changed places, the rest of a former primary is asked for. */
const FINISH_SECONDS = 600;
/** Machines' clocks may differ by so much: around a change of slots so many seconds count for neither side. */
const SKEW_SECONDS = 2;

export interface WorkingSurroundings {
  agents: Pick<Agents, 'request'>;
  clock: Clock;
  log: Logger;
  observe: (database: Database) => Promise<DatabaseView>;
  /** The record of the database as it is now; undefined when it is gone. */
  find: (name: string) => Database | undefined;
  bytesPerSecond: number;
  version: string;
  engineVersion: string;
  /** Passwords are kept only where all is encrypted. */
  isEncrypted: boolean;
}

/** What one look has shown of a shard's primary. */
interface Owner {
  shard: string;
  engine: AnsweringEngine;
  node: Source['node'];
}

export class WorkingArchive {
  readonly shelf: Shelf;
  readonly #around: WorkingSurroundings;
  readonly #stop = new AbortController();
  readonly #rate: Rate;
  layouts: LayoutDocument[] = [];
  chains: ShelvedChain[] = [];
  /** When the present layout was known to hold last, in seconds; null: not since this began. */
  #steadyAt: number | null = null;
  /** Milliseconds since the epoch. */
  #fetchedAt: number;
  #tidiedAt = 0;
  #isRead = false;
  #problem: string | null = null;
  #running: Promise<void> | null = null;
  /** By shard: the chain that is being begun. */
  readonly #beginning = new Map<string, { firstSeq: number; over: Promise<void> }>();

  constructor(around: WorkingSurroundings, shelf: Shelf) {
    this.#around = around;
    this.shelf = shelf;
    this.#rate = new Rate(around.bytesPerSecond, around.clock);
    this.#fetchedAt = around.clock.now();
  }

  get window(): Span[] {
    return windowOf(this.layouts, this.chains);
  }

  /** What lies there is known: before, nothing can be said of the window. */
  get isKnown(): boolean {
    return this.#isRead;
  }

  get problem(): string | null {
    return this.#problem;
  }

  /** What is published with the database. */
  view({ place, everySeconds }: ArchiveRecord): ArchiveView {
    return {
      place,
      everySeconds,
      span: this.window.at(-1) ?? null,
      fetchedAt: this.#fetchedAt,
      problem: this.#problem,
    };
  }

  /** One at a time: who comes while one is under way gets that. It does not throw; what failed is the problem. */
  look(record: ArchiveRecord): Promise<void> {
    this.#running ??= this.#look(record)
      .then(
        (problem) => {
          this.#problem = problem;
          if (problem === null) this.#fetchedAt = this.#around.clock.now();
        },
        (error: unknown) => {
          this.#problem = error instanceof Error ? error.message : String(error);
          const { log } = this.#around;
          log.warn({ err: error, database: record.database }, 'An archive was not brought up to date.');
        },
      )
      .finally(() => {
        this.#running = null;
      });
    return this.#running;
  }

  /** What is under way is given up, and waited for. */
  async close(): Promise<void> {
    this.#stop.abort(new ValkeeperError('stopping'));
    await this.#running;
    await Promise.all([...this.#beginning.values()].map(({ over }) => over));
  }

  /** @returns why not all of it was fetched; null when it was */
  async #look(record: ArchiveRecord): Promise<string | null> {
    if (!this.#isRead) await this.#read();
    const database = this.#around.find(record.database);
    if (database?.uid !== record.name || database.deleting) return 'the database is gone';
    const before = await this.#around.observe(database);
    const owners = ownersOf(database, before);
    const problems: string[] = [];
    const noted = (shard: string) => (error: unknown) => {
      this.#stop.signal.throwIfAborted();
      problems.push(`${shard}: ${error instanceof Error ? error.message : String(error)}`);
      return null;
    };
    const listings = await Promise.all(
      owners.map(async (owner) => {
        const why = whyNotYet(owner);
        if (why !== null) return noted(owner.shard)(new Error(why));
        const { shard, node } = owner;
        const beginning = this.#beginning.get(shard)?.firstSeq ?? null;
        return listLog(this.#around.agents, node, this.#chainsOf(shard), beginning).catch(noted(shard));
      }),
    );
    // Whoever is the primary before and after was it in between.
    const present = this.#around.find(record.database) ?? database;
    const after = await this.#around.observe(present);
    await this.#noteLayout(present, before, after, record.since);
    const still = ownersOf(present, after);
    await this.#finish(present, before, owners);
    await Promise.all(
      owners.map(async (owner, index) => {
        const listing = listings[index];
        if (!listing) return;
        const isOwner = still.some(
          (one) => one.node.id === owner.node.id && one.engine.history === owner.engine.history,
        );
        await this.#fetch({ ...owner, listing, isOwner }).catch(noted(owner.shard));
      }),
    );
    const missing = shardNames(present).filter(
      (name) => !owners.some(({ shard }) => shard === name) && hasSlots(present, after, name),
    );
    problems.push(...missing.map((name) => `${name}: it has no primary that answers`));
    await this.#tidy(record);
    return problems.length > 0 ? problems.join('; ') : null;
  }

  async #read(): Promise<void> {
    const { layouts, chains } = await this.shelf.read();
    this.layouts = [...layouts];
    this.chains = [...chains];
    this.#isRead = true;
  }

  async #fetch({ shard, node, engine, listing, isOwner }: Owner & Pick<Source, 'listing' | 'isOwner'>): Promise<void> {
    const { agents } = this.#around;
    const around = { agents, shelf: this.shelf, rate: this.#rate, signal: this.#stop.signal };
    const source = { shard, node, history: engine.history, dataBytes: engine.dataBytes, listing, isOwner };
    const begin = await fetchLog(around, source, this.#chainsOf(shard), (longer) => this.#put(longer));
    if (begin) await this.#begin(shard, begin);
  }

  /** A chain begins beside the looks: meanwhile the one before goes on. A small one is waited for. @throws why it was not begun */
  async #begin(shard: string, { firstSeq, run }: Beginning): Promise<void> {
    let failure: unknown = null;
    const present = this.#beginning.get(shard);
    const over =
      present?.over ??
      run()
        .then(
          (chain) => this.#put(chain),
          (error: unknown) => {
            failure = error;
          },
        )
        .finally(() => this.#beginning.delete(shard));
    if (!present) this.#beginning.set(shard, { firstSeq, over });
    await new Promise<void>((resolve) => {
      const endTimer = this.#around.clock.timer(BEGIN_WAIT_MS, resolve);
      void over.then(() => {
        endTimer();
        resolve();
      });
    });
    if (failure) throw failure;
  }

  /** Of former primaries, what their copies' chains begin after. What cannot be had is a gap, and nothing to tell of. */
  async #finish(database: Database, before: DatabaseView, owners: readonly Owner[]): Promise<void> {
    const { agents, clock, log, observe } = this.#around;
    const left = owners.flatMap(({ shard, node }) => {
      const [newest, ...older] = this.#chainsOf(shard);
      if (!newest || newest.node !== node.id || clock.now() / 1_000 - newest.ownedFrom > FINISH_SECONDS) return [];
      return older.filter((chain) => chain.node !== node.id && isBehind(chain, newest)).slice(0, 1);
    });
    for (const chain of left) {
      try {
        const member = followerOf(database, before, chain);
        if (!member) continue;
        const { assignment: node, engine } = member;
        const listing = await listLog(agents, node, [chain]);
        if (!followerOf(database, await observe(database), chain)) continue;
        const around = { agents, shelf: this.shelf, rate: this.#rate, signal: this.#stop.signal };
        const { history, dataBytes } = engine!;
        const source = { shard: chain.shard, node, history, dataBytes, listing, isOwner: true };
        await finishChain(around, source, chain, (longer) => this.#put(longer));
      } catch (error) {
        log.warn({ err: error, chain: chain.id }, 'The rest of a former primary was not fetched.');
      }
    }
  }

  #put(chain: ShelvedChain): void {
    this.chains = [...this.chains.filter(({ id }) => id !== chain.id), chain];
  }

  /** A shard's, the one that was begun last first. */
  #chainsOf(shard: string): ShelvedChain[] {
    const own = this.chains.filter((one) => one.shard === shard);
    return own.sort((a, b) => b.ownedFrom - a.ownedFrom || b.baseAt - a.baseAt || (a.id < b.id ? 1 : -1));
  }

  /** What both looks show is written down where it is not what was written last. */
  async #noteLayout(database: Database, before: DatabaseView, after: DatabaseView, since: number): Promise<void> {
    const [first, second] = [slotsOf(database, before), slotsOf(database, after)];
    if (first === null || second === null) return; // not known: nothing is fetched of a shard that nobody owns
    const isMoving = database.reshard !== null || JSON.stringify(first) !== JSON.stringify(second);
    const shards = isMoving ? [] : second;
    const now = Math.floor(after.at / 1_000);
    const last = this.layouts.at(-1);
    // Of the time in which it was off nobody knows where slots were.
    const wasOn = last !== undefined && last.from >= Math.floor(since / 1_000);
    const isSame = wasOn && last.isMoving === isMoving && JSON.stringify(last.shards) === JSON.stringify(shards);
    const { name, uid, spec, generation, secrets } = database;
    if (!isSame || (!isMoving && last.database.generation !== generation)) {
      const from = Math.max(now + SKEW_SECONDS, (last?.from ?? 0) + 1);
      const previousUntil = !last
        ? 0
        : isSame
          ? from - 1
          : Math.max(last.from - 1, (this.#steadyAt ?? this.#reached()) - SKEW_SECONDS);
      const { password, users } = secrets;
      const { version, engineVersion, isEncrypted } = this.#around;
      const layout: LayoutDocument = {
        ...{ format: ARCHIVE_FORMAT, from, previousUntil, isMoving, shards, database: { name, uid, spec, generation } },
        ...{ engineVersion, valkeeperVersion: version },
        ...(isEncrypted ? { secrets: { password, users: { ...users } } } : {}),
      };
      await this.shelf.addLayout(layout);
      this.layouts = [...this.layouts, layout];
    }
    this.#steadyAt = Math.floor(before.at / 1_000);
  }

  /** Up to when the layout is known to have held by what was fetched under it. */
  #reached(): number {
    const shards = this.layouts.at(-1)?.shards ?? [];
    const reached = shards.map(({ name }) =>
      Math.max(0, ...this.chains.filter(({ shard }) => shard === name).map(({ until }) => until)),
    );
    return reached.length > 0 ? Math.min(...reached) : 0;
  }

  /** What ended longer ago than it is kept for goes. */
  async #tidy({ keepDays }: ArchiveRecord): Promise<void> {
    const now = this.#around.clock.now();
    if (now - this.#tidiedAt < TIDY_MS) return;
    this.#tidiedAt = now;
    await this.shelf.sweep(now);
    if (keepDays !== null) await this.#removeBefore(Math.floor(now / 1_000) - keepDays * DAY_SECONDS);
  }

  async #removeBefore(cutoff: number): Promise<void> {
    const shards = new Set(this.chains.map(({ shard }) => shard));
    const growing = new Set([...shards].map((shard) => this.#chainsOf(shard)[0]!.id));
    for (const chain of beyondDays(this.chains, growing, cutoff)) {
      await this.shelf.removeChain(chain);
      this.chains = this.chains.filter(({ id }) => id !== chain.id);
    }
    const old = this.layouts.filter((_, index) => (this.layouts[index + 1]?.from ?? Infinity) <= cutoff);
    for (const layout of old) await this.shelf.removeLayout(layout);
    this.layouts = this.layouts.filter((one) => !old.includes(one));
  }
}

/** The node of this chain as a copy that is in sync, with all of its log; null when it is not. */
function followerOf(database: Database, view: DatabaseView, { shard, node }: ShelvedChain): Member | null {
  const { owner, members } = shardTopology(database, view, shard);
  const member = members.find(({ assignment }) => assignment.id === node);
  return member?.engine?.logComplete && isInSync(member, owner) ? member : null;
}

/** The primaries that answer, by shard. */
const ownersOf = (database: Database, view: DatabaseView): Owner[] =>
  shardNames(database).flatMap((shard): Owner[] => {
    const { owner, slots } = shardTopology(database, view, shard);
    const engine = owner?.engine;
    if (!owner || engine?.role !== 'primary' || slots.length === 0) return [];
    return [{ shard, engine, node: owner.assignment }];
  });

const hasSlots = (database: Database, view: DatabaseView, shard: string): boolean =>
  shardTopology(database, view, shard).slots.length > 0;

/** Why a primary's log cannot be fetched yet; null when it can. */
function whyNotYet({ engine }: Owner): string | null {
  const { settings, logComplete, failingWrites } = engine;
  if (settings['appendonly'] !== 'yes') return 'its primary keeps no append-only log yet';
  if (settings['aof-timestamp-enabled'] !== 'yes') return 'the log of its primary does not tell times yet';
  if (!logComplete) return 'the log of its primary is being written for the first time';
  return failingWrites.includes('log') ? 'its primary cannot write its log' : null;
}

/** Which shard has which slots, by their owners' word; null when not all have one that is known. */
function slotsOf(database: Database, view: DatabaseView): LayoutDocument['shards'] | null {
  const shards = shardNames(database).map((name) => {
    const { owner, slots } = shardTopology(database, view, name);
    return { name, slots: owner?.engine ? [...slots] : [] };
  });
  return countSlots(shards.flatMap(({ slots }) => slots)) === SLOT_COUNT ? shards : null;
}
