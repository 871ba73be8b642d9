/** What `valkeeper doctor` says of a host: one finding for each check. */

/** Least urgent first. `unknown`: it could not be looked at, and the finding says why. */
export const FINDING_LEVELS = ['ok', 'unknown', 'warning', 'problem'] as const;
export type FindingLevel = (typeof FINDING_LEVELS)[number];

export interface Finding {
  /** The check's name, such as `overcommit`; stable. */
  check: string;
  level: FindingLevel;
  /** What was seen. */
  says: string;
  /** Why it matters; null when it is well. */
  why: string | null;
  /** The command that mends it at once, or shows what is in the way; null when there is none or nothing to mend. */
  now: string | null;
  /** The command that keeps it so after a reboot; null when there is none, or `now` lasts. */
  lasting: string | null;
}
