/** What is kept of each measurement, and what is demanded. Pure. */
import { errorsIn, type History, type Waits, waitsIn } from '../rebalance/history.ts';
import { percentile } from '../support/stats.ts';

/** What is measured, in the order of the table; those of `SYSTEMS` name them on the command line. */
export const MEASURED = {
  backup: '`valkeeper backup create`',
  bgsave: 'BGSAVE of all replicas at once',
  cli: '`valkey-cli --cluster backup`',
  'restore-same': '`valkeeper db restore`, as many shards',
  'restore-more': '`valkeeper db restore`, 5 shards',
  load: 'a plain valkey-server loads the RDB of one shard',
} as const;

export type MeasuredId = keyof typeof MEASURED;

/** The words for `--systems`. */
export const SYSTEMS: Readonly<Record<string, readonly MeasuredId[]>> = {
  backup: ['backup'],
  bgsave: ['bgsave'],
  cli: ['cli'],
  restore: ['restore-same', 'restore-more'],
  load: ['load'],
};

/** Beside clients too: the others have none to disturb. */
export const LOADED: readonly MeasuredId[] = ['backup', 'bgsave', 'cli'];

/** p99 of clients during a backup, as a multiple of that before it. */
const MOST_RATIO = 1.2;

/** What one way told of itself. */
export interface Told {
  /** From the command to its end; of a restore, until the database is ready; of loading, what the engine says. */
  ms: number;
  /** Of the RDB files together, before compression of their own; null where it is not known. */
  rawBytes: number | null;
  /** On the disk afterwards. */
  storedBytes: number | null;
  /** Between the moments of the first and the last shard. */
  skewMs: number | null;
  /** Without the start of the command: by the record of the backup. Of a restore, from the command until clients are let in. */
  innerMs: number | null;
}

/** What clients noticed. */
export interface Clients {
  /** As long as what follows it, or as long as there was quiet. */
  before: Waits;
  during: Waits;
  quietMs: number;
  /** Of all operations, by kind. */
  errors: Record<string, number>;
}

export interface Measurement extends Told {
  what: MeasuredId;
  /** Of the repetition. */
  number: number;
  isLoaded: boolean;
  /** Null when there were none. */
  clients: Clients | null;
}

/** One that came to no end. */
export interface Failed extends Pick<Measurement, 'what' | 'number' | 'isLoaded'> {
  failure: string;
}

/** What clients saw between two moments, beside an equally long time just before; no longer than it was quiet. */
export function clientsIn(history: History, quietFrom: number, beganAt: number, endedAt: number): Clients {
  const quietMs = Math.min(endedAt - beganAt, beganAt - quietFrom);
  const before = waitsIn(endingBefore(history, beganAt), beganAt - quietMs, beganAt);
  return { before, during: waitsIn(history, beganAt, endedAt), quietMs, errors: errorsIn(history) };
}

/** What was still under way then is not of the quiet time: it may wait for what began. */
function endingBefore(history: History, at: number): History {
  return { ...history, operations: history.operations.filter(([, , answeredAt]) => answeredAt < at) };
}

/** p99 during it : p99 before it, of each repetition. */
export function ratiosOf(measurements: readonly Measurement[]): number[] {
  return measurements.flatMap(({ clients }) =>
    clients === null || clients.before.p99Ms === 0 ? [] : [clients.during.p99Ms / clients.before.p99Ms],
  );
}

export interface Verdict {
  what: string;
  measured: string;
  demand: string;
  /** Null: what it takes was not measured. */
  holds: boolean | null;
}

/** Every demand, with what was measured. */
export function verdicts(measurements: readonly Measurement[], failed: readonly Failed[]): Verdict[] {
  const backups = measurements.filter(({ what, isLoaded }) => what === 'backup' && isLoaded);
  const ratios = ratiosOf(backups);
  const ratio = ratios.length === 0 ? null : percentile(ratios, 50);
  const errors = backups.reduce(
    (all, { clients }) => all + Object.values(clients?.errors ?? {}).reduce((sum, count) => sum + count, 0),
    0,
  );
  return [
    {
      what: 'p99 of clients during `valkeeper backup create` : before it, median',
      measured: ratio === null ? 'not measured' : `${ratio.toFixed(2)} x`,
      demand: `<= ${MOST_RATIO} x`,
      holds: ratio === null ? null : ratio <= MOST_RATIO,
    },
    {
      what: 'errors at clients beside `valkeeper backup create`',
      measured: backups.length === 0 ? 'not measured' : `${errors}`,
      demand: '0',
      holds: backups.length === 0 ? null : errors === 0,
    },
    {
      what: 'repetitions that failed, of all',
      measured: `${failed.length}`,
      demand: '0',
      holds: failed.length === 0,
    },
  ];
}
