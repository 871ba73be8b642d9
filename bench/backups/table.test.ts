import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { History, Waits } from '../rebalance/history.ts';
import { type Clients, clientsIn, type Measurement, ratiosOf, verdicts } from './result.ts';
import { backupTables } from './table.ts';

const MB = 1024 ** 2;

const waits = (p99Ms: number): Waits => ({ operations: 10, p50Ms: 1, p99Ms, longestMs: 2 * p99Ms, ownMs: 0 });
const clients = (before: number, during: number, errors: Record<string, number> = {}): Clients => ({
  ...{ before: waits(before), during: waits(during), quietMs: 100, errors },
});
const taken = (what: Measurement['what'], of: Clients | null, ms = 1_000): Measurement => ({
  ...{ what, number: 1, isLoaded: of !== null, ms, rawBytes: 6 * MB, storedBytes: 3 * MB },
  ...{ skewMs: null, innerMs: null, clients: of },
});
const said = (measurements: Measurement[]): string[] =>
  verdicts(measurements, []).map(({ measured, holds }) => `${measured} ${holds}`);

it('compares with an equally long time just before', () => {
  const history: History = {
    operations: [
      ['read', 100, 190, 'ok'], // long before
      ['read', 850, 852, 'ok'],
      ['write', 900, 904, 'ok'],
      ['read', 990, 1_150, 'ok'], // under way when it begins
      ['write', 1_100, 1_106, 'ECONN'],
      ['write', 1_300, 1_900, 'ok'], // due afterwards
    ],
    late: [],
    sentAgain: 0,
  };
  const { before, during, quietMs, errors } = clientsIn(history, 0, 1_000, 1_200);
  assert.deepEqual([quietMs, before.operations, before.longestMs], [200, 2, 4]);
  assert.deepEqual([during.operations, during.longestMs], [2, 160]);
  assert.deepEqual(errors, { ECONN: 1 });
  assert.equal(clientsIn(history, 950, 1_000, 1_200).quietMs, 50); // there was no more
});

it('demands by the median of the ratios of repetitions', () => {
  const own = [clients(10, 11), clients(5, 20), clients(10, 12)].map((of) => taken('backup', of));
  assert.deepEqual(ratiosOf(own), [1.1, 4, 1.2]);
  assert.deepEqual(said(own), ['1.20 x true', '0 true', '0 true']);
  assert.deepEqual(said([taken('backup', clients(10, 13, { LOADING: 2 }))]), ['1.30 x false', '2 false', '0 true']);
  const others = [taken('backup', null), taken('bgsave', clients(1, 9))];
  assert.deepEqual(said(others), ['not measured null', 'not measured null', '0 true']);
});

it('shows what was measured in the order of what there is, failures too', () => {
  const measurements = [
    taken('cli', clients(2, 3)),
    taken('backup', null, 1_000),
    taken('backup', null, 3_000),
    taken('load', null, 50),
  ];
  const failed = [{ what: 'restore-more' as const, number: 1, isLoaded: false, failure: 'no room' }];
  const [times, waiting, demands] = backupTables(measurements, failed, 'title');
  assert.deepEqual(times!.rows, [
    ['idle: `valkeeper backup create`', '2,000 ms (1,000 ms to 3,000 ms)', '', '6', '3', '', ''],
    ['idle: `valkeeper db restore`, 5 shards', '', '', '', '', '', '1: no room'],
    ['idle: a plain valkey-server loads the RDB of one shard', '50 ms', '', '6', '3', '', ''],
    ['under load: `valkey-cli --cluster backup`', '1,000 ms', '', '6', '3', '', ''],
  ]);
  assert.deepEqual(
    waiting!.rows.map((row) => row.slice(0, 6)),
    [['under load: `valkey-cli --cluster backup`', '1 ms', '1 ms', '2 ms', '3 ms', '1.50']],
  );
  assert.deepEqual(demands!.rows.at(-1), ['repetitions that failed, of all', '1', '0', 'no']);
  assert.equal(backupTables([taken('load', null)], [], 'title').length, 2); // nobody waited
});
