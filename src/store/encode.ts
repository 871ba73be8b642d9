/** What every store does alike: checking what it is given, turning values into text and back, comparing. */
import { ValkeeperError } from '../domain/errors.ts';
import { type CommitResult, type Entry, type Expectation, type ListOptions, type Op, STORE_LIMITS } from './store.ts';

/** An entry as it is kept: the value as JSON text, so that nobody shares an object with the store. */
export interface StoredEntry {
  key: string;
  text: string;
  revision: number;
}

/** One checked operation. */
export interface Write {
  kind: 'put' | 'delete' | 'check';
  key: string;
  /** What is put there; null for the other kinds. */
  text: string | null;
  lease: string | null;
  expect: Expectation | undefined;
}

/** One committed change; `text` is null for a deletion. */
export interface StoredChange {
  key: string;
  text: string | null;
  revision: number;
}

/** Sorts behind every valid key that begins with the prefix it is appended to: no key may contain it. */
export const LAST_CHARACTER = '\u{10FFFF}';

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const FORBIDDEN = /[\u0000-\u001f\u007f\u{10FFFF}]/u;

const refuse = (what: string, problem: string, remedy: string, cause?: unknown): never => {
  throw new ValkeeperError('store_limit', { what, problem, remedy }, { cause });
};

/** Raises store_limit unless `key` is a key; a prefix or a cursor may also be empty. */
export function checkKey(key: string, what: 'key' | 'prefix' | 'cursor' = 'key'): void {
  const sizeBytes = Buffer.byteLength(key);
  if (sizeBytes > STORE_LIMITS.keyBytes) {
    const shown = `${[...key].slice(0, 40).join('')}...`;
    refuse(what, `${shown} has ${sizeBytes} bytes`, `At most ${STORE_LIMITS.keyBytes} bytes.`);
  }
  if (key === '' && what === 'key') refuse(what, 'it is empty', 'Give it at least one character.');
  if (!key.isWellFormed() || FORBIDDEN.test(key)) {
    refuse(what, `${JSON.stringify(key)} has forbidden characters`, 'No control characters, no halves of characters.');
  }
}

/** Checks what `list` is asked; returns how many entries to look for: one more than allowed where that is an error. */
export function checkList(prefix: string, { limit, after }: ListOptions): number {
  checkKey(prefix, 'prefix');
  if (after !== undefined) checkKey(after, 'cursor');
  const max = STORE_LIMITS.listEntries;
  if (limit === undefined) return max + 1;
  if (!Number.isInteger(limit) || limit < 1 || limit > max) {
    refuse('limit', `${limit} is out of range`, `Give a whole number from 1 to ${max}.`);
  }
  return limit;
}

/** The answer of `list`, or store_limit for a list without a limit that would be longer than an answer may be. */
export function toList<T>(prefix: string, found: readonly StoredEntry[]): Entry<T>[] {
  const max = STORE_LIMITS.listEntries;
  if (found.length > max)
    refuse('list', `${prefix || 'the store'} has over ${max} entries`, 'Page with limit and after.');
  return found.map((entry) => toEntry<T>(entry));
}

export const toEntry = <T>({ key, text, revision }: StoredEntry): Entry<T> => ({
  key,
  value: JSON.parse(text) as T,
  revision,
});

/** The operations of one commit, checked. */
export function toWrites(ops: readonly Op[]): Write[] {
  const max = STORE_LIMITS.opsPerCommit;
  if (ops.length > max) refuse('commit', `it has ${ops.length} operations`, `At most ${max} operations.`);
  const writes = ops.map(toWrite);
  const keys = new Set<string>();
  let sizeBytes = 0;
  for (const { key, text } of writes) {
    if (keys.has(key)) refuse('commit', `${key} appears twice`, 'Name every key once.');
    keys.add(key);
    sizeBytes += Buffer.byteLength(key) + (text === null ? 0 : Buffer.byteLength(text));
  }
  const { commitBytes } = STORE_LIMITS;
  if (sizeBytes > commitBytes) refuse('commit', `it has ${sizeBytes} bytes`, `At most ${commitBytes} bytes.`);
  return writes;
}

function toWrite(op: Op): Write {
  const { expect } = op;
  if (typeof expect === 'number' && !(Number.isSafeInteger(expect) && expect > 0)) {
    refuse('expectation', `${expect} is no revision of a key`, "Give a whole number above 0, or 'absent'.");
  }
  if ('put' in op) {
    checkKey(op.put);
    return { kind: 'put', key: op.put, text: toText(op.put, op.value), lease: op.lease ?? null, expect };
  }
  const [kind, key] = 'delete' in op ? (['delete', op.delete] as const) : (['check', op.check] as const);
  checkKey(key);
  return { kind, key, text: null, lease: null, expect };
}

/** The lease that a commit names although it has ended, if it does. */
export const findLeaseGone = (writes: readonly Write[], exists: (lease: string) => boolean): string | undefined =>
  writes.find(({ lease }) => lease !== null && !exists(lease))?.lease ?? undefined;

/** Raises store_limit unless a lease may last so long. */
export function checkTtl(ttlMs: number): void {
  const { leaseMinMs, leaseMaxMs } = STORE_LIMITS;
  if (!Number.isInteger(ttlMs) || ttlMs < leaseMinMs || ttlMs > leaseMaxMs) {
    refuse('lease', `${ttlMs} ms is out of range`, `Give a whole number of ms from ${leaseMinMs} to ${leaseMaxMs}.`);
  }
}

function toText(key: string, value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    refuse('value', `${key}: ${(error as Error).message}`, 'Store plain data.', error);
  }
  if (text === undefined) return refuse('value', `${key}: JSON has no ${typeof value}`, 'Store plain data.');
  const sizeBytes = Buffer.byteLength(text);
  if (sizeBytes > STORE_LIMITS.valueBytes) {
    refuse('value', `${key} would have ${sizeBytes} bytes`, `At most ${STORE_LIMITS.valueBytes} bytes of JSON.`);
  }
  return text;
}

/** What stands in the way of a commit, if anything does. */
export function findConflict(
  writes: readonly Write[],
  revisionOf: (key: string) => Expectation,
): Extract<CommitResult, { ok: false }> | undefined {
  for (const { key, expect } of writes) {
    if (expect === undefined) continue;
    const actual = revisionOf(key);
    if (actual !== expect) return { ok: false, conflict: key, actual };
  }
  return undefined;
}

/** The order of keys: by their UTF-8 bytes, which is not JavaScript's order beyond U+FFFF. */
export const compareKeys = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** What every method raises once a store is closed. */
export const storeClosed = (): ValkeeperError => new ValkeeperError('store_closed');

/** What a commit raises that names a lease which has ended. */
export const leaseGone = (lease: string): ValkeeperError => new ValkeeperError('store_lease_gone', { lease });
