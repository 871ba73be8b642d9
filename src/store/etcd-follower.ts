/** Follows all changes of one store in etcd, from member to member, each change once and in order. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { StoredChange } from './encode.ts';
import type { EtcdMembers } from './etcd-members.ts';
import { fromBase64, type Keyspace, revisionOf, type WatchLine } from './etcd-wire.ts';

/** Between the end of one watch and the next, longer each time that it brought nothing, in ms. */
const FIRST_PAUSE_MS = 20;
const LAST_PAUSE_MS = 1_000;

interface FollowOptions {
  members: EtcdMembers;
  keys: Keyspace;
  /** The first revision of interest. */
  fromRevision: number;
  /** What costs a member nothing but proves that it has a majority. */
  probe: object;
  /** All changes of some revisions, none of them in part. */
  onChanges: (changes: readonly StoredChange[]) => void;
  /** etcd has forgotten changes from `from` on, and goes on after `revision`. */
  onGap: (from: number, revision: number) => void;
  signal: AbortSignal;
}

/** Goes on until `signal` aborts; never rejects. */
export async function follow({
  members,
  keys,
  probe,
  onChanges,
  onGap,
  signal,
  ...options
}: FollowOptions): Promise<void> {
  /** All before it was told. */
  let next = options.fromRevision;
  let pauseMs = FIRST_PAUSE_MS;
  const onLine = (text: string): void => {
    const { result, error } = JSON.parse(text) as WatchLine;
    if (result === undefined) throw new Error(error?.message ?? 'the watch failed');
    const compacted = Number(result.compact_revision ?? 0);
    if (compacted > next) {
      // What comes from `compacted` on is to be had; the watch is begun again there.
      onGap(next, compacted - 1);
      next = compacted;
    }
    if (result.canceled) throw new Error(result.cancel_reason ?? 'the watch was cancelled');
    pauseMs = FIRST_PAUSE_MS;
    const changes = (result.events ?? []).map(
      ({ type, kv }): StoredChange => ({
        key: keys.read(kv.key),
        text: type === 'DELETE' ? null : fromBase64(kv.value ?? ''),
        revision: Number(kv.mod_revision),
      }),
    );
    if (changes.length > 0) {
      next = changes.at(-1)!.revision + 1;
      onChanges(changes);
    } else if (!result.created) {
      // Nothing happened up to here: so what others do, and is forgotten, is no gap of ours.
      next = Math.max(next, revisionOf(result) + 1);
    }
  };
  while (!signal.aborted) {
    const request = { ...keys.range(''), start_revision: String(next), progress_notify: true };
    await members.follow({ create_request: request }, probe, onLine, signal);
    await sleep(pauseMs, undefined, { signal }).catch(() => {});
    pauseMs = Math.min(LAST_PAUSE_MS, pauseMs * 2);
  }
}
