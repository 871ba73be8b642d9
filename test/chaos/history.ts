/**
 * What clients asked for and what they were told, as data. Each client process appends JSON lines to a file of its own:
 * one when it asks, one when it knows what came of it. All times are milliseconds of the host's monotonic clock, which
 * every network namespace shares.
 */

export type Action =
  | { kind: 'set'; key: string; value: string }
  | { kind: 'del'; key: string }
  | { kind: 'get'; key: string }
  | { kind: 'incr'; key: string }
  | { kind: 'push'; key: string; value: string };

/** `ok`: acknowledged. `failed`: the client was told that nothing was done. `unknown`: either may be. */
export type Outcome = 'ok' | 'failed' | 'unknown';

export type BeginLine = Action & { begin: string; atMs: number; database: string };
export interface EndLine {
  end: string;
  atMs: number;
  outcome: Outcome;
  /** Of `ok`. */
  result?: string | number | null;
  /** Of the others. */
  error?: string;
}

export type Operation = Action & {
  id: string;
  database: string;
  beganMs: number;
  /** Infinity while it is unknown: it may still be carried out. */
  endedMs: number;
  outcome: Outcome;
  result: string | number | null;
  error: string | null;
};

/** What a key holds when all is over: a value, the items of a list, or nothing. */
export type Final = string | readonly string[] | null;

/** The host's monotonic clock. */
export const nowMs = (): number => Number(process.hrtime.bigint() / 1_000n) / 1_000;

/**
 * The operations of some files. One whose end was not written, since its client was killed, is unknown; so is a last
 * line that was cut.
 */
export function readOperations(texts: readonly string[]): Operation[] {
  const operations = new Map<string, Operation>();
  for (const text of texts) {
    for (const line of text.split('\n').filter(Boolean)) {
      const entry = parseLine(line);
      if (entry === null) continue;
      if ('begin' in entry) {
        const { begin, atMs, ...action } = entry;
        operations.set(begin, {
          ...action,
          ...{ id: begin, beganMs: atMs, endedMs: Number.POSITIVE_INFINITY },
          ...{ outcome: 'unknown', result: null, error: null },
        });
        continue;
      }
      const operation = operations.get(entry.end);
      if (!operation) throw new Error(`${entry.end} ended and never began`);
      operation.outcome = entry.outcome;
      operation.result = entry.result ?? null;
      operation.error = entry.error ?? null;
      if (entry.outcome !== 'unknown') operation.endedMs = entry.atMs;
    }
  }
  return [...operations.values()];
}

function parseLine(line: string): BeginLine | EndLine | null {
  try {
    return JSON.parse(line) as BeginLine | EndLine;
  } catch {
    return null;
  }
}
