/** What a round's history shows: violations that count, and losses that asynchronous replication is allowed. */
import { keySlot } from '../../src/domain/key-slot.ts';
import { checkHistory, checkKept } from './check/check.ts';
import { excuseFor, type FaultTime } from './check/excuse.ts';
import type { Violation } from './check/violation.ts';
import type { Final, Operation, Outcome } from './history.ts';
import type { ChaosDatabase } from './scenario.ts';

export interface Verdict {
  violations: Violation[];
  /** With the fault that each is put down to. */
  excused: (Violation & { fault: string })[];
  operations: Record<Outcome, number>;
}

/** What is known of one database's keys, over all rounds. */
export interface Kept {
  finals: Map<string, Final>;
  /** Keys with a write whose outcome is unknown: it may come late. */
  uncertain: Set<string>;
}

/**
 * Judges a round of one database, and adds its keys to what is kept.
 * @param read every key of this round and of those kept, asked for at `finalMs`
 */
export function judge(
  { name, durability }: ChaosDatabase,
  operations: readonly Operation[],
  read: { finals: ReadonlyMap<string, Final>; finalMs: number },
  kept: Kept,
  faults: readonly FaultTime[],
  shardOf: (slot: number) => string,
): Verdict {
  const found = [
    ...checkHistory(name, operations, read.finals, read.finalMs),
    ...checkKept(name, kept.finals, read.finals, kept.uncertain),
  ];
  const verdict: Verdict = { violations: [], excused: [], operations: { ok: 0, failed: 0, unknown: 0 } };
  for (const violation of found) {
    const fault = durability === 'async' ? excuseFor(violation, shardOf(keySlot(violation.key)), faults) : null;
    if (fault) verdict.excused.push({ ...violation, fault: fault.what });
    else verdict.violations.push(violation);
  }
  for (const { outcome, key, kind } of operations) {
    verdict.operations[outcome] += 1;
    kept.finals.set(key, read.finals.get(key)!);
    if (outcome === 'unknown' && kind !== 'get') kept.uncertain.add(key);
  }
  return verdict;
}

/** Writes that were lost, of all violations of a kind. */
export const lostWrites = (violations: readonly Violation[]): number =>
  new Set(violations.filter(({ kind }) => kind === 'lost').flatMap(({ missing }) => missing.map(({ id }) => id))).size;
