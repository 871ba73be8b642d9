/** How a build tells what it does. */

/** `wait` is another build on the same cache; the rest follow each other in this order. */
export type BuildPhase = 'wait' | 'tools' | 'fetch' | 'unpack' | 'compile' | 'check' | 'install';

/** One message of a running build. */
export interface BuildProgress {
  phase: BuildPhase;
  /** A sentence fragment for people. */
  detail: string;
  /** Of this phase, 0 to 1, never falling; absent where it cannot be told. */
  fraction?: number;
}

export type OnProgress = (progress: BuildProgress) => void;
