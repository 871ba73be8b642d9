/**
 * Who watches a store, and what they may still ask for. The latest changes stay in memory, in order; every watcher has
 * its place in that line and is moved along it after each commit, so none is skipped and none comes twice.
 */
import { ValkeeperError } from '../domain/errors.ts';
import { checkKey, type StoredChange } from './encode.ts';
import { type Change, STORE_LIMITS, type Unwatch, type WatchOptions } from './store.ts';

interface Watcher {
  prefix: string;
  fromRevision: number;
  tell: (change: StoredChange) => void;
  onGap: (error: ValkeeperError) => void;
  /** Position in the line of all changes since the store was opened. */
  next: number;
}

const bytesOf = ({ text }: StoredChange): number => (text === null ? 0 : Buffer.byteLength(text));

const throwLater = (error: unknown): void =>
  queueMicrotask(() => {
    throw error;
  });

export class ChangeFeed {
  /** The changes from position `#first` on. */
  readonly #changes: StoredChange[] = [];
  #first = 0;
  #sizeBytes = 0;
  readonly #watchers = new Set<Watcher>();
  /** The oldest revision whose changes are all here, and those of every later one. */
  #oldestRevision: number;
  #delivering = false;

  /** @param revision of the store as it is opened: older changes are not to be had. */
  constructor(revision: number) {
    this.#oldestRevision = revision + 1;
  }

  /**
   * As `Store.watch`.
   * @param known the latest revision that the caller may know of already, if the changes come here later
   */
  watch<T>(prefix: string, listener: (change: Change<T>) => void, options: WatchOptions = {}, known = 0): Unwatch {
    const { fromRevision, onGap = throwLater } = options;
    checkKey(prefix, 'prefix');
    if (fromRevision !== undefined && fromRevision < this.#oldestRevision) {
      throw new ValkeeperError('store_history_gone', { wanted: fromRevision, oldest: this.#oldestRevision });
    }
    const watcher: Watcher = {
      prefix,
      fromRevision: fromRevision ?? known + 1,
      tell: (change) => listener(toChange<T>(change)),
      onGap,
      next: fromRevision === undefined ? this.#end : this.#first,
    };
    this.#watchers.add(watcher);
    this.#deliverSoon();
    return () => void this.#watchers.delete(watcher);
  }

  /** Takes the changes of one commit, which are durable, and tells the watchers once the caller has returned. */
  publish(changes: readonly StoredChange[]): void {
    for (const change of changes) {
      this.#changes.push(change);
      this.#sizeBytes += bytesOf(change);
    }
    this.#deliverSoon();
  }

  /** Changes from revision `from` on were missed: ends every watch, and goes on with what comes after `revision`. */
  missed(from: number, revision: number): void {
    const watchers = [...this.#watchers];
    this.#watchers.clear();
    this.#first = this.#end;
    this.#changes.length = 0;
    this.#sizeBytes = 0;
    this.#oldestRevision = revision + 1;
    for (const { onGap } of watchers) {
      try {
        onGap(new ValkeeperError('store_history_gone', { wanted: from, oldest: revision + 1 }));
      } catch (error) {
        throwLater(error);
      }
    }
  }

  close(): void {
    this.#watchers.clear();
  }

  get #end(): number {
    return this.#first + this.#changes.length;
  }

  #deliverSoon(): void {
    if (this.#delivering) return;
    this.#delivering = true;
    queueMicrotask(() => {
      for (const watcher of this.#watchers) this.#deliver(watcher);
      this.#delivering = false;
      // A listener may have committed: those before it have not heard of that yet.
      if ([...this.#watchers].some(({ next }) => next < this.#end)) this.#deliverSoon();
      else this.#forget();
    });
  }

  #deliver(watcher: Watcher): void {
    while (watcher.next < this.#end && this.#watchers.has(watcher)) {
      const change = this.#changes[watcher.next - this.#first]!;
      watcher.next += 1;
      if (change.revision < watcher.fromRevision || !change.key.startsWith(watcher.prefix)) continue;
      try {
        watcher.tell(change);
      } catch (error) {
        throwLater(error); // a defect of that listener: loud, but not at the cost of the others
      }
    }
  }

  #forget(): void {
    let count = 0;
    while (this.#changes.length - count > STORE_LIMITS.historyChanges || this.#sizeBytes > STORE_LIMITS.historyBytes) {
      const change = this.#changes[count]!;
      this.#sizeBytes -= bytesOf(change);
      this.#oldestRevision = change.revision + 1;
      count += 1;
    }
    this.#changes.splice(0, count);
    this.#first += count;
  }
}

const toChange = <T>({ key, text, revision }: StoredChange): Change<T> =>
  text === null ? { kind: 'delete', key, revision } : { kind: 'put', key, value: JSON.parse(text) as T, revision };
