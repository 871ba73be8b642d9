/**
 * Keys that are set, deleted and read. Every value is written once, so a read tells which write it saw. A write comes
 * definitely before another when it was acknowledged before the other began; nothing else is assumed, so that writes
 * that overlap or whose outcome is unknown never accuse anybody.
 */
import type { Operation } from '../history.ts';
import type { KeyHistory, Violation } from './violation.ts';

type Read = { value: string | null; beganMs: number; endedMs: number; what: string };

/** What is wrong with a register: stale reads, and its final value. */
export function checkRegister(history: KeyHistory<string | null>): Violation[] {
  const { operations, final, finalMs, database, key } = history;
  const writes = operations.filter(({ kind }) => kind === 'set' || kind === 'del');
  const acknowledged = writes.filter(({ outcome }) => outcome === 'ok');
  const found: Violation[] = [];
  const judge = (read: Read, isFinal: boolean): void => {
    const report = (kind: Violation['kind'], detail: string, missing: readonly Operation[] = []): void =>
      void found.push({ kind, database, key, detail: `${read.what}: ${detail}`, missing });
    const origin = originOf(read, writes);
    if (origin === 'nobody') return report('invented', `${read.value} was not written by then`);
    if (origin.outcome === 'failed') return report('failed-applied', `${read.value} is of ${origin.id}, which failed`);
    // Writes that began when the origin was acknowledged, and were acknowledged themselves before the read.
    const missing = acknowledged.filter(({ beganMs, endedMs }) => beganMs > origin.endedMs && endedMs < read.beganMs);
    if (missing.length === 0) return;
    const detail = `${read.value ?? 'nothing'} is older than ${missing.map(({ id }) => id).join(', ')}`;
    if (!isFinal) return report('stale', detail, missing);
    report('lost', detail, missing);
    if (read.value !== null) report('resurrected', detail, missing);
  };
  for (const { kind, outcome, result, beganMs, endedMs, id } of operations) {
    if (kind === 'get' && outcome === 'ok')
      judge({ value: result as string | null, beganMs, endedMs, what: id }, false);
  }
  judge({ value: final, beganMs: finalMs, endedMs: Number.POSITIVE_INFINITY, what: 'at the end' }, true);
  return found;
}

/** Nothing was there at first. */
const BEGINNING = { id: 'the beginning', outcome: 'ok', endedMs: Number.NEGATIVE_INFINITY } as const;

/** The write that a read saw; of several deletions the latest, which accuses least. */
function originOf(
  { value, endedMs }: Read,
  writes: readonly Operation[],
): Pick<Operation, 'id' | 'outcome' | 'endedMs'> | 'nobody' {
  const begun = writes.filter((write) => write.beganMs < endedMs);
  if (value !== null) return begun.find((write) => write.kind === 'set' && write.value === value) ?? 'nobody';
  const deletions = begun.filter(({ kind, outcome }) => kind === 'del' && outcome !== 'failed');
  return deletions.reduce<Pick<Operation, 'id' | 'outcome' | 'endedMs'>>(
    (latest, one) => (one.endedMs > latest.endedMs ? one : latest),
    BEGINNING,
  );
}
