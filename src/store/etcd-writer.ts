/**
 * Commits to etcd, one after the other, each exactly once or not at all, although answers may be lost.
 *
 * Every commit changes the writer's marker (see etcd-txn.ts) on the condition that it is as the writer left it. When an
 * answer is lost, the same transaction is sent again, to another member if need be: if the first one was carried out,
 * the marker is not as it was, the second is not carried out, and the marker says that the first was. One that was
 * given up, and may still lie somewhere, dies likewise as soon as a later commit is carried out.
 */
import { randomUUID } from 'node:crypto';
import { ValkeeperError } from '../domain/errors.ts';
import { findConflict, leaseGone, type Write } from './encode.ts';
import { commitError, etcdError } from './etcd-errors.ts';
import { CODE } from './etcd-http.ts';
import type { EtcdMembers } from './etcd-members.ts';
import { type Attempt, type Marker, readLook, readTxn, toLook, toTxn } from './etcd-txn.ts';
import {
  type GrantAnswer,
  isLeaseId,
  type Keyspace,
  revisionOf,
  type TimeToLiveAnswer,
  type TxnAnswer,
} from './etcd-wire.ts';
import type { CommitResult } from './store.ts';

/** The marker of a writer that has crashed goes with its lease, in s. */
const MARKER_LEASE_S = 600;
/** A lease is used for so long; then a new one is asked for. So it has at least as long to go whenever it is used. */
const MARKER_LEASE_USED_MS = 300_000;

const TXN = '/v3/kv/txn';
/** What etcd answers of a lease that is not there. */
const GONE_TTL = -1;

export class EtcdWriter {
  readonly #members: EtcdMembers;
  readonly #keys: Keyspace;
  #marker: Marker;
  /** Under which the marker is put, and when it was asked for. */
  #lease: { id: string; sinceMs: number } | null = null;
  #number = 0;
  /** The commit that was called last. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(members: EtcdMembers, keys: Keyspace) {
    this.#members = members;
    this.#keys = keys;
    this.#marker = { key: keys.marker(randomUUID()), revision: 0 };
  }

  /** As `Store.commit`, in the order of the calls. @param deadlineMs of `performance.now()`; after it, it is given up */
  commit(writes: readonly Write[], deadlineMs: number): Promise<CommitResult> {
    const turn = this.#last.then(() => this.#commit(writes, deadlineMs));
    this.#last = turn.catch(() => {});
    return turn;
  }

  /** Removes the marker, as far as etcd answers. */
  async close(deadlineMs: number): Promise<void> {
    const lease = this.#lease;
    if (lease === null) return;
    this.#lease = null;
    await this.#members.ask(deadlineMs, (post) => post('/v3/lease/revoke', { ID: lease.id }));
  }

  async #commit(writes: readonly Write[], deadlineMs: number): Promise<CommitResult> {
    const malformed = leasesOf(writes).find((lease) => !isLeaseId(lease));
    if (malformed !== undefined) throw leaseGone(malformed);
    this.#number += 1;
    // At the beginning of each round nothing of this commit was carried out, nor can be any more.
    for (;;) {
      let pinned: Attempt['pinned'];
      if (mayChangeNothing(writes)) {
        const look = await this.#look(writes, deadlineMs);
        if ('ok' in look) return look;
        pinned = look;
      }
      const lease = await this.#usableLease(deadlineMs);
      const attempt: Attempt = { writes, marker: this.#marker, number: this.#number, lease, pinned };
      const txn = toTxn(this.#keys, attempt);
      const asked = await this.#members.ask<TxnAnswer>(deadlineMs, (post) => post(TXN, txn));
      if (asked.kind === 'refused' && asked.code === CODE.notFound) {
        // A lease is gone. It is looked at only when all is as expected, so that no earlier try was carried out.
        const gone = await this.#findGone([lease, ...leasesOf(writes)], deadlineMs);
        if (gone === lease) this.#lease = null;
        else if (gone !== undefined) throw leaseGone(gone);
        continue;
      }
      if (asked.kind !== 'answer') throw commitError(asked);
      const verdict = readTxn(attempt, asked.value);
      const isGone = verdict.marker.revision === 0 && attempt.marker.revision !== 0;
      this.#marker = verdict.marker;
      if (verdict.kind === 'result') return verdict.result;
      if (isGone && asked.sentBefore) {
        throw new ValkeeperError('store_outcome_unknown', { problem: 'what would tell was deleted in etcd' });
      }
    }
  }

  /** The answer to a commit that changes nothing, or a key that it deletes, as it is now. */
  async #look(writes: readonly Write[], deadlineMs: number): Promise<CommitResult | NonNullable<Attempt['pinned']>> {
    const look = toLook(this.#keys, writes, this.#marker);
    const answer = await this.#ask<TxnAnswer>(TXN, look, deadlineMs);
    const seen = readLook(writes, answer);
    const conflict = findConflict(writes, (key) => seen.get(key) ?? 'absent');
    if (conflict !== undefined) return conflict;
    const doomed = writes.find(({ kind, key }) => kind === 'delete' && seen.get(key) !== 'absent');
    if (doomed === undefined) return { ok: true, revision: revisionOf(answer) };
    return { key: doomed.key, expect: seen.get(doomed.key)! };
  }

  async #usableLease(deadlineMs: number): Promise<string> {
    const nowMs = performance.now();
    if (this.#lease === null || nowMs - this.#lease.sinceMs > MARKER_LEASE_USED_MS) {
      const { ID: id } = await this.#ask<GrantAnswer>('/v3/lease/grant', { TTL: MARKER_LEASE_S }, deadlineMs);
      this.#lease = { id, sinceMs: nowMs };
    }
    return this.#lease.id;
  }

  async #findGone(leases: readonly string[], deadlineMs: number): Promise<string | undefined> {
    for (const id of leases) {
      const { TTL } = await this.#ask<TimeToLiveAnswer>('/v3/lease/timetolive', { ID: id }, deadlineMs);
      if (Number(TTL) === GONE_TTL) return id;
    }
    return undefined;
  }

  /** Asks what does no harm when it is carried out twice. */
  async #ask<T>(path: string, body: object, deadlineMs: number): Promise<T> {
    const asked = await this.#members.ask<T>(deadlineMs, (post) => post(path, body));
    if (asked.kind !== 'answer') throw etcdError(asked);
    return asked.value;
  }
}

const leasesOf = (writes: readonly Write[]): string[] => [...new Set(writes.flatMap(({ lease }) => lease ?? []))];

const mayChangeNothing = (writes: readonly Write[]): boolean =>
  writes.every(({ kind, expect }) => kind === 'check' || (kind === 'delete' && expect === undefined));
