/** Where a log ends that is to have all up to a moment, however it comes in pieces. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { cutLog, LogCut, LogDamage } from './log-cut.ts';

const command = (...words: string[]): string =>
  `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;
const at = (seconds: number): string => `#TS:${seconds}\r\n`;

/** What stays of it when it comes in pieces of so many bytes. */
function cut(log: string | Buffer, until: number, size = log.length): string {
  const bytes = Buffer.from(log);
  const one = new LogCut(until);
  let kept = '';
  for (let from = 0; from < bytes.length; from += size) {
    kept += one.take(Uint8Array.from(bytes.subarray(from, from + size))).toString('latin1');
  }
  one.end();
  return kept;
}

const LOG = [
  command('SELECT', '0') + command('set', 'before', 'a line'),
  at(100) + command('set', 'a', '1') + command('set', 'tricky', '#TS:999\r\n*1\r\n#TS:5\r\n'),
  `#a remark\r\n${command('set', 'empty', '')}`,
  at(102) + command('MULTI') + command('set', 'b', '2') + at(103) + command('set', 'c', '3') + command('EXEC'),
  command('set', 'after', 'the transaction'),
  at(104) + command('set', 'd', '4'),
];
const first = (count: number): string => LOG.slice(0, count).join('');

it('has what was done up to the second, wherever pieces begin and end', () => {
  const log = LOG.join('');
  for (let size = 1; size <= log.length; size += 1) {
    assert.equal(cut(log, 99, size), first(1));
    assert.equal(cut(log, 100, size), first(3));
    assert.equal(cut(log, 101, size), first(3));
    assert.equal(cut(log, 102, size), first(4), 'a transaction that began in time is whole, and nothing follows it');
    assert.equal(cut(log, 103, size), first(5));
    assert.equal(cut(log, 104, size), log);
    assert.equal(cut(log, 1_000, size), log);
  }
});

it('has large values whole, and nothing of a log that is empty', () => {
  const large = at(1) + command('set', 'large', 'x'.repeat(300_000)) + at(2) + command('del', 'large');
  for (const size of [1_000, 65_536, 299_999]) assert.equal(cut(large, 1, size).length, large.indexOf(at(2)));
  assert.equal(cut('', 5), '');
  assert.equal(cut(at(6), 5), '');
});

it('tells damage and where it is, but not behind the moment', () => {
  const damaged: [log: string, why: RegExp][] = [
    [`${first(2)}*2\r\n$3\r\nset\r\n$1\r\na`, /in the middle of a command/],
    [`${first(1)}garbage\r\n`, /\* and a number should be there/],
    ['*1\r\n$3\r\nsett\r\n', /longer than it says/],
    ['*1\r\n$3\r\nset\rx', /longer than it says/],
    ['*0\r\n', /no words/],
    ['*1\n', /does not end as those of a log/],
    ['*1\r\n$-1\r\n', /\$ and a number/],
    ['x'.repeat(2_000), /longer than any/],
    [command('MULTI') + command('set', 'a', '1'), /in the middle of a transaction/],
  ];
  for (const [log, why] of damaged) {
    for (const size of [1, 7, log.length]) {
      assert.throws(
        () => cut(log, 1_000, size),
        (error) => error instanceof LogDamage && why.test(error.message),
      );
    }
    assert.equal(cut(at(2_000) + log, 1_000), '');
  }
});

it('reads no more of a log than it needs', async () => {
  const given: number[] = [];
  const log = (async function* () {
    for (const [index, part] of LOG.entries()) {
      given.push(index);
      yield Buffer.from(part);
    }
  })();
  let kept = '';
  for await (const part of cutLog(log, 100)) kept += part.toString('latin1');
  assert.equal(kept, first(3));
  assert.deepEqual(given, [0, 1, 2, 3]);
});
