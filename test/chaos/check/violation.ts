/** What a check finds wrong. */
import type { Operation } from '../history.ts';

export const VIOLATIONS = {
  lost: 'a write was acknowledged, and is not there, nor superseded by a later one',
  resurrected: 'a value is there at the end that an acknowledged later write had replaced or deleted',
  stale: 'a read that began after a write was acknowledged returned something older',
  twice: 'a write was applied more often than it was asked for',
  'failed-applied': 'the client was told that nothing was done, and it was done',
  invented: 'a value is there that nobody had written by then',
  'out-of-order': 'of two items of a list, the one that was acknowledged before the other began stands behind it',
} as const;

export type ViolationKind = keyof typeof VIOLATIONS;

export interface Violation {
  kind: ViolationKind;
  database: string;
  key: string;
  /** With ids and values, for people. */
  detail: string;
  /** The acknowledged writes whose effect is missing, where that is what is wrong. */
  missing: readonly Operation[];
}

/** What a check of one key is given. */
export interface KeyHistory<F> {
  database: string;
  key: string;
  operations: readonly Operation[];
  final: F;
  /** When the final value was asked for: after all had ended. */
  finalMs: number;
}
