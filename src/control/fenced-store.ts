/** The store as the leader of one term has it: it refuses every change once that term is over. */
import { ValkeeperError } from '../domain/errors.ts';
import type { Op, Store } from '../store/store.ts';
import { LEADER_KEY, type Term } from './leader.ts';

/**
 * All goes to `store`; each commit with the check of the term, which is one of its operations. Closing closes `store`.
 * Its `commit` also throws not_leader: nothing was changed.
 */
export function fencedStore(store: Store, { check }: Term): Store {
  return {
    get: (key) => store.get(key),
    list: (prefix, options) => store.list(prefix, options),
    commit: async (ops: readonly Op[]) => {
      const result = await store.commit([check, ...ops]);
      if (!result.ok && result.conflict === LEADER_KEY) throw new ValkeeperError('not_leader');
      return result;
    },
    watch: (prefix, listener, options) => store.watch(prefix, listener, options),
    revision: () => store.revision(),
    grantLease: (ttlMs) => store.grantLease(ttlMs),
    keepLease: (id) => store.keepLease(id),
    revokeLease: (id) => store.revokeLease(id),
    close: () => store.close(),
  };
}
