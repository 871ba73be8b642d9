/** Waiting until the watchers of a store have heard what was committed before. */
import type { Store } from '../../src/store/store.ts';

/** Sorts between ASCII and all other letters. */
const MARK = '~delivered';

/** Whether a change of this key is only the mark that `delivered` sets. */
export const isMark = (key: string): boolean => key === MARK;

/** Resolves when all have; it takes two revisions, a key that is put and deleted, which watchers of '' hear too. */
export async function delivered(store: Store): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  // The last to watch is told last.
  const unwatch = store.watch(MARK, ({ kind }) => {
    if (kind === 'delete') resolve();
  });
  await store.commit([{ put: MARK, value: 0 }]);
  await store.commit([{ delete: MARK }]);
  await promise;
  unwatch();
}
