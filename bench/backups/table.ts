/** The tables of backups and restores. Pure. */
import { sumByKind } from '../faults/verdict.ts';
import { listed } from '../rebalance/verdict.ts';
import type { Table } from '../support/report.ts';
import { ms, spread, summarize } from '../support/stats.ts';
import {
  type Clients,
  type Failed,
  MEASURED,
  type MeasuredId,
  type Measurement,
  ratiosOf,
  verdicts,
} from './result.ts';

const MB = 1024 ** 2;

/** The report. */
export function backupTables(measurements: readonly Measurement[], failed: readonly Failed[], title: string): Table[] {
  const groups = [false, true].flatMap((isLoaded) =>
    (Object.keys(MEASURED) as MeasuredId[]).flatMap((what) => {
      const isOf = (one: Pick<Measurement, 'what' | 'isLoaded'>): boolean =>
        one.what === what && one.isLoaded === isLoaded;
      const own = measurements.filter(isOf);
      const failures = failed.filter(isOf).map(({ failure }) => failure);
      const words = `${isLoaded ? 'under load' : 'idle'}: ${MEASURED[what]}`;
      return own.length + failures.length === 0 ? [] : [{ words, own, failures }];
    }),
  );
  const loaded = groups.filter(({ own }) => own.some(({ clients }) => clients !== null));
  return [
    {
      title: `${title}. Time from the command to its end, of a restore until the database is ready, of loading as the engine tells it. Of that: by the record of the backup, without the start of the command; of a restore, until clients are let in. Medians (smallest to largest)`,
      head: ['', 'time', 'of that', 'RDB, MB', 'stored, MB', 'moments of shards apart', 'failed'],
      rows: groups.map(({ words, own, failures }) => [
        words,
        time(own.map((one) => one.ms)),
        time(known(own, 'innerMs')),
        megabytes(known(own, 'rawBytes')),
        megabytes(known(own, 'storedBytes')),
        time(known(own, 'skewMs')),
        failures.length === 0 ? '' : [failures.length, ...new Set(failures)].join(': '),
      ]),
    },
    ...(loaded.length === 0
      ? []
      : [
          {
            title:
              'What clients wait through the endpoint, each operation from when it was due: during it, after an equally long quiet time just before it',
            head: [
              ...['', 'p50 before', 'during', 'p99 before', 'during', '**p99 during : before**'],
              ...['longest before', 'during', 'pauses of the load itself, before', 'during', 'errors'],
            ],
            rows: loaded.map(({ words, own }) => clientRow(words, own)),
          },
        ]),
    {
      title: 'What is demanded, of medians',
      head: ['', 'measured', 'demand', 'holds'],
      rows: verdicts(measurements, failed).map(({ what, measured, demand, holds }) => [
        what,
        measured,
        demand,
        holds === null ? '' : holds ? 'yes' : 'no',
      ]),
    },
  ];
}

function clientRow(words: string, own: readonly Measurement[]): string[] {
  const clients = own.flatMap((one) => one.clients ?? []);
  const both = (of: (waits: Clients['before']) => number): string[] => [
    time(clients.map(({ before }) => of(before))),
    time(clients.map(({ during }) => of(during))),
  ];
  return [
    words,
    ...both(({ p50Ms }) => p50Ms),
    ...both(({ p99Ms }) => p99Ms),
    ratioText(ratiosOf(own)),
    ...both(({ longestMs }) => longestMs),
    ...both(({ ownMs }) => ownMs),
    listed(sumByKind(clients.map(({ errors }) => errors))),
  ];
}

type Figure = 'innerMs' | 'rawBytes' | 'storedBytes' | 'skewMs';

const known = (own: readonly Measurement[], figure: Figure): number[] => own.flatMap((one) => one[figure] ?? []);

function time(figures: readonly number[]): string {
  if (figures.length === 0) return '';
  return figures.length === 1 ? ms(figures[0]!) : spread(summarize(figures));
}

function megabytes(figures: readonly number[]): string {
  return figures.length === 0 ? '' : `${Math.round(summarize(figures).median / MB)}`;
}

function ratioText(ratios: readonly number[]): string {
  if (ratios.length === 0) return '';
  const { median, min, max } = summarize(ratios);
  return ratios.length === 1 ? median.toFixed(2) : `${median.toFixed(2)} (${min.toFixed(2)} to ${max.toFixed(2)})`;
}
