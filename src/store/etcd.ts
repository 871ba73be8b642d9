/**
 * The store that several control planes share: an etcd 3.4, through its HTTP gateway. Any of its members may
 * be asked; while a majority of them runs, the store does.
 */
import { ValkeeperError } from '../domain/errors.ts';
import { ChangeFeed } from './change-feed.ts';
import { checkKey, checkList, checkTtl, type StoredEntry, storeClosed, toEntry, toList, toWrites } from './encode.ts';
import { etcdError } from './etcd-errors.ts';
import { follow } from './etcd-follower.ts';
import { CODE, type Reply, type TlsOptions, Transport } from './etcd-http.ts';
import { EtcdMembers, type Post } from './etcd-members.ts';
import {
  type Answer,
  fromBase64,
  type GrantAnswer,
  isLeaseId,
  type KeepAliveAnswer,
  Keyspace,
  type KeyValue,
  type RangeAnswer,
  revisionOf,
} from './etcd-wire.ts';
import { EtcdWriter } from './etcd-writer.ts';
import type { Change, CommitResult, Entry, Lease, ListOptions, Op, Store, Unwatch, WatchOptions } from './store.ts';

export interface EtcdOptions {
  /** Of the members, such as `https://10.0.0.1:2379`; one is enough, all are better. */
  urls: readonly string[];
  /** Begins all keys, so that one etcd can serve several fleets. 1 to 64 letters, digits, `.`, `_` and `-`. */
  prefix?: string | undefined;
  tls?: TlsOptions | undefined;
  /** Where etcd has users: ours, who needs all rights under the prefix. */
  user?: { name: string; password: string } | undefined;
  /** A member that says nothing for so long is given up for another, in ms. */
  silenceMs?: number | undefined;
  /** A request that no member answered within it is given up, in ms. */
  giveUpMs?: number | undefined;
}

const DEFAULT_PREFIX = 'valkeeper';
const PREFIX = /^[\w.-]{1,64}$/;
const MAX_URLS = 16;
const DEFAULT_SILENCE_MS = 1_500;
/** Some elections of etcd: each takes one to two seconds. */
const DEFAULT_GIVE_UP_MS = 10_000;
/** How long closing waits for what is under way, and then to leave nothing of its own in etcd, in ms. */
const CLOSE_MS = 2_000;
const TIDY_MS = 300;

const RANGE = '/v3/kv/range';

/**
 * Opens the store; resolves once etcd has answered. Its revisions are etcd's own.
 *
 * What is asked goes to one member, and when that fails to the next, until one answers or `giveUpMs` are over: then it
 * is `store_unreachable` (nothing was changed), or for a commit that may have been carried out `store_outcome_unknown`.
 * A commit is carried out at most once, however many members were asked.
 * @throws invalid_value, store_unreachable, store_unusable
 */
export async function openEtcdStore(options: EtcdOptions): Promise<Store> {
  const { prefix = DEFAULT_PREFIX, tls = {}, user } = options;
  const { silenceMs = DEFAULT_SILENCE_MS, giveUpMs = DEFAULT_GIVE_UP_MS } = options;
  const urls = options.urls.map(toUrl);
  if (urls.length < 1 || urls.length > MAX_URLS) throw invalid('urls', `${urls.length} URLs`, `Give 1 to ${MAX_URLS}.`);
  if (!PREFIX.test(prefix)) throw invalid('prefix', prefix, 'Use 1 to 64 letters, digits, dots, hyphens, underscores.');
  const transport = openTransport(tls);
  const members = new EtcdMembers(transport, { urls, user: user ?? null, silenceMs });
  const keys = new Keyspace(prefix);
  const asked = await members.ask<Answer>(performance.now() + giveUpMs, (post) => post(RANGE, probeOf(keys)));
  if (asked.kind === 'answer') return new EtcdStore(transport, members, keys, giveUpMs, revisionOf(asked.value));
  transport.close();
  throw etcdError(asked);
}

function toUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || url.pathname !== '/' || url.search || url.username) {
    throw invalid('urls', text, 'Give URLs such as https://10.0.0.1:2379.');
  }
  return url.origin;
}

function openTransport(tls: TlsOptions): Transport {
  try {
    return new Transport(tls);
  } catch (error) {
    throw invalid('tls', (error as Error).message, 'Give certificates and key in PEM.');
  }
}

const invalid = (field: string, value: string, remedy: string): ValkeeperError =>
  new ValkeeperError('invalid_value', { field: `etcd ${field}`, problem: `${value} cannot be used`, remedy });

/** Asks for no key, but for the latest revision that a majority of the members knows. */
const probeOf = (keys: Keyspace): object => ({ ...keys.range(''), count_only: true, limit: '1' });

class EtcdStore implements Store {
  readonly #transport: Transport;
  readonly #members: EtcdMembers;
  readonly #keys: Keyspace;
  readonly #giveUpMs: number;
  readonly #writer: EtcdWriter;
  readonly #feed: ChangeFeed;
  readonly #ending = new AbortController();
  readonly #following: Promise<void>;
  /** What is under way. */
  readonly #pending = new Set<Promise<unknown>>();
  /** The latest revision that anybody was told. */
  #known: number;
  #closed: Promise<void> | null = null;

  constructor(transport: Transport, members: EtcdMembers, keys: Keyspace, giveUpMs: number, revision: number) {
    this.#transport = transport;
    this.#members = members;
    this.#keys = keys;
    this.#giveUpMs = giveUpMs;
    this.#known = revision;
    this.#writer = new EtcdWriter(members, keys);
    this.#feed = new ChangeFeed(revision);
    this.#following = follow({
      ...{ members, keys, fromRevision: revision + 1, probe: probeOf(keys), signal: this.#ending.signal },
      onChanges: (changes) => this.#feed.publish(changes),
      onGap: (from, until) => this.#feed.missed(from, until),
    });
  }

  get<T>(key: string): Promise<Entry<T> | null> {
    return this.#run(async () => {
      checkKey(key);
      const { kvs } = await this.#ask<RangeAnswer>(RANGE, { key: this.#keys.key(key) });
      return kvs?.[0] === undefined ? null : toEntry<T>(this.#toStored(kvs[0]));
    });
  }

  list<T>(prefix: string, options: ListOptions = {}): Promise<Entry<T>[]> {
    return this.#run(async () => {
      const limit = String(checkList(prefix, options));
      const { kvs = [] } = await this.#ask<RangeAnswer>(RANGE, { ...this.#keys.range(prefix, options), limit });
      return toList<T>(
        prefix,
        kvs.map((entry) => this.#toStored(entry)),
      );
    });
  }

  commit(ops: readonly Op[]): Promise<CommitResult> {
    return this.#run(async () => {
      const result = await this.#writer.commit(toWrites(ops), this.#deadlineMs());
      if (result.ok) this.#note(result.revision);
      return result;
    });
  }

  watch<T>(prefix: string, listener: (change: Change<T>) => void, options?: WatchOptions): Unwatch {
    if (this.#closed) throw storeClosed();
    return this.#feed.watch(prefix, listener, options, this.#known);
  }

  revision(): Promise<number> {
    return this.#run(async () => revisionOf(await this.#ask(RANGE, probeOf(this.#keys))));
  }

  grantLease(ttlMs: number): Promise<Lease> {
    return this.#run(async () => {
      checkTtl(ttlMs);
      const { ID, TTL } = await this.#ask<GrantAnswer>('/v3/lease/grant', { TTL: Math.ceil(ttlMs / 1000) });
      return { id: ID, ttlMs: Number(TTL) * 1000 };
    });
  }

  keepLease(id: string): Promise<boolean> {
    return this.#run(async () => {
      if (!isLeaseId(id)) return false;
      // A member that was stopped may still think that it is etcd's leader, and keep a lease that has ended. So it is
      // first asked what only a majority can answer: if another becomes leader after that, leases begin anew there.
      const asked = await this.#members.ask<KeepAliveAnswer>(this.#deadlineMs(), async (post: Post) => {
        const probed = await post(RANGE, probeOf(this.#keys));
        return probed.kind === 'answer' ? post<KeepAliveAnswer>('/v3/lease/keepalive', { ID: id }) : probed;
      });
      return answerOf(asked).result.TTL !== undefined;
    });
  }

  revokeLease(id: string): Promise<void> {
    return this.#run(async () => {
      if (!isLeaseId(id)) return;
      const asked = await this.#members.ask(this.#deadlineMs(), (post) => post('/v3/lease/revoke', { ID: id }));
      if (asked.kind === 'refused' && asked.code === CODE.notFound) return;
      this.#note(revisionOf(answerOf(asked)));
    });
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#feed.close();
    this.#ending.abort();
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, CLOSE_MS);
    await Promise.race([Promise.allSettled(this.#pending), late]);
    clearTimeout(timer);
    await this.#writer.close(performance.now() + TIDY_MS);
    this.#members.close();
    this.#transport.close();
    await this.#following;
  }

  #run<R>(action: () => Promise<R>): Promise<R> {
    if (this.#closed) return Promise.reject(storeClosed());
    const done = action();
    this.#pending.add(done);
    const forget = (): void => void this.#pending.delete(done);
    done.then(forget, forget);
    return done;
  }

  /** Asks what does no harm when it is carried out twice. */
  async #ask<T extends Answer>(path: string, body: object): Promise<T> {
    const answer = answerOf(await this.#members.ask<T>(this.#deadlineMs(), (post) => post<T>(path, body)));
    this.#note(revisionOf(answer));
    return answer;
  }

  #deadlineMs(): number {
    return performance.now() + this.#giveUpMs;
  }

  #note(revision: number): void {
    this.#known = Math.max(this.#known, revision);
  }

  #toStored({ key, value = '', mod_revision }: KeyValue): StoredEntry {
    return { key: this.#keys.read(key), text: fromBase64(value), revision: Number(mod_revision) };
  }
}

function answerOf<T>(reply: Reply<T>): T {
  if (reply.kind !== 'answer') throw etcdError(reply);
  return reply.value;
}
