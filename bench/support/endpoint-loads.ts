/** What is asked of a proxy to learn its price. */

/** Values of one size, under keys of their own. */
export interface DataSet {
  prefix: string;
  keys: number;
  bytes: number;
}

/** Keys as valkey-benchmark writes them: a number of twelve digits. */
export const keyOf = ({ prefix }: DataSet, number: number): string => `${prefix}${String(number).padStart(12, '0')}`;

const RANDOM = '__rand_int__';

export const SMALL: DataSet = { prefix: 'bench:64:', keys: 100_000, bytes: 64 };
const MEDIUM: DataSet = { prefix: 'bench:1k:', keys: 10_000, bytes: 1_024 };
const LARGE: DataSet = { prefix: 'bench:64k:', keys: 200, bytes: 65_536 };
export const DATA_SETS: readonly DataSet[] = [SMALL, MEDIUM, LARGE];

/** As fast as replies come, on 50 connections. */
export interface ClosedLoad {
  id: string;
  title: string;
  data: DataSet;
  command: readonly string[];
  pipeline: number;
  /** Of one repetition. */
  operations: number;
  /** At most so many times twemproxy's processor time an operation. */
  demand: number;
}

const get = ({ prefix }: DataSet): string[] => ['GET', `${prefix}${RANDOM}`];
const set = ({ prefix }: DataSet): string[] => ['SET', `${prefix}${RANDOM}`, '__data__'];
const MGET_KEYS = 10;

const load = (
  id: string,
  title: string,
  data: DataSet,
  command: readonly string[],
  operations: number,
  demand: number,
  pipeline = 1,
): ClosedLoad => ({ id, title, data, command, pipeline, operations, demand });

export const CLOSED_LOADS: readonly ClosedLoad[] = [
  load('get', 'GET, not pipelined', SMALL, get(SMALL), 100_000, 1.1),
  load('set', 'SET, not pipelined', SMALL, set(SMALL), 100_000, 1.1),
  load('get-16', 'GET, 16 deep', SMALL, get(SMALL), 640_000, 0.9, 16),
  load('set-16', 'SET, 16 deep', SMALL, set(SMALL), 640_000, 0.9, 16),
  load(
    'mget',
    `MGET of ${MGET_KEYS} keys over 3 shards`,
    SMALL,
    ['MGET', ...Array.from({ length: MGET_KEYS }, () => `${SMALL.prefix}${RANDOM}`)],
    30_000,
    0.9,
  ),
  load('get-1k', 'GET of 1 KB', MEDIUM, get(MEDIUM), 80_000, 1),
  load('set-1k', 'SET of 1 KB', MEDIUM, set(MEDIUM), 80_000, 1),
  load('get-64k', 'GET of 64 KB', LARGE, get(LARGE), 20_000, 1),
  load('set-64k', 'SET of 64 KB', LARGE, set(LARGE), 20_000, 1),
];
