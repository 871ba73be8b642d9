/** A commit as a transaction of etcd, and what its answer means. Nothing here asks anybody. */
import { findConflict, type Write } from './encode.ts';
import { compare, fromBase64, type Keyspace, revisionOf, type TxnAnswer, toValue } from './etcd-wire.ts';
import type { CommitResult, Expectation } from './store.ts';

/**
 * A key that a writer changes with each of its commits, and only if it is as the writer left it. So a transaction takes
 * effect once however often it is sent, and the key tells which one was the last.
 */
export interface Marker {
  /** etcd's bytes. */
  readonly key: string;
  /** When the writer changed it last, as far as it knows; 0 before. */
  readonly revision: number;
}

/** One try of a commit. */
export interface Attempt {
  writes: readonly Write[];
  marker: Marker;
  /** No two commits of a writer have the same. */
  number: number;
  /** Under which the marker is put. */
  lease: string;
  /** A key that must be as it was seen, beside what the writes expect. */
  pinned?: { key: string; expect: Expectation } | undefined;
}

const rangeOf = (key: string) => ({ request_range: { key, keys_only: true } });

/** The transaction. If it is not carried out, it answers the keys with an expectation, and the marker. */
export function toTxn(keys: Keyspace, { writes, marker, number, lease, pinned }: Attempt): object {
  const expecting = writes.filter(({ expect }) => expect !== undefined);
  const markerPut = { key: marker.key, value: toValue(String(number)), lease };
  return {
    compare: [
      ...expecting.map(({ key, expect }) => compare(keys.key(key), expect!)),
      ...(pinned ? [compare(keys.key(pinned.key), pinned.expect)] : []),
      compare(marker.key, marker.revision),
    ],
    success: [
      ...writes.filter(({ kind }) => kind !== 'check').map((write) => toRequest(keys, write)),
      { request_put: markerPut },
    ],
    failure: [...expecting.map(({ key }) => rangeOf(keys.key(key))), { request_range: { key: marker.key } }],
  };
}

function toRequest(keys: Keyspace, { key, text, lease }: Write): object {
  if (text === null) return { request_delete_range: { key: keys.key(key) } };
  return { request_put: { key: keys.key(key), value: toValue(text), ...(lease === null ? {} : { lease }) } };
}

export type Verdict =
  | { kind: 'result'; result: CommitResult; marker: Marker }
  /** The marker or the pinned key was not as it was thought: it is to be tried again with this marker. */
  | { kind: 'again'; marker: Marker };

/** What became of an attempt, as its answer tells. */
export function readTxn({ writes, marker, number }: Attempt, answer: TxnAnswer): Verdict {
  const revision = revisionOf(answer);
  if (answer.succeeded) return { kind: 'result', result: { ok: true, revision }, marker: { ...marker, revision } };
  const found = (answer.responses ?? []).map((response) => response.response_range?.kvs?.[0]);
  const last = found.pop();
  const seen = { ...marker, revision: Number(last?.mod_revision ?? 0) };
  if (last?.value !== undefined && fromBase64(last.value) === String(number)) {
    // An earlier try was carried out, and only its answer was lost.
    return { kind: 'result', result: { ok: true, revision: seen.revision }, marker: seen };
  }
  if (seen.revision !== marker.revision) return { kind: 'again', marker: seen };
  const expecting = writes.filter(({ expect }) => expect !== undefined);
  const revisions = new Map(expecting.map(({ key }, index) => [key, found[index]?.mod_revision]));
  const result = findConflict(writes, (key) => toExpectation(revisions.get(key)));
  return result === undefined ? { kind: 'again', marker } : { kind: 'result', result, marker };
}

/** Asks for the present revision of each key of the writes, and of the store, at one moment. */
export const toLook = (keys: Keyspace, writes: readonly Write[], marker: Marker): object => ({
  // A transaction that asks for no key is answered with what that member knows, not with what etcd knows.
  success: [...writes.map(({ key }) => rangeOf(keys.key(key))), rangeOf(marker.key)],
});

/** What `toLook` asked for. */
export const readLook = (writes: readonly Write[], { responses = [] }: TxnAnswer): ReadonlyMap<string, Expectation> =>
  new Map(
    writes.map(({ key }, index) => [key, toExpectation(responses[index]?.response_range?.kvs?.[0]?.mod_revision)]),
  );

const toExpectation = (revision: string | undefined): Expectation =>
  revision === undefined ? 'absent' : Number(revision);
