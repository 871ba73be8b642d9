import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ownersIn, wrongIn } from './owners.ts';

const [A, B, C] = ['a', 'b', 'c'].map((letter) => letter.repeat(40)) as [string, string, string];
const line = (id: string, flags: string, primary: string, slots: string): string =>
  `${id} 127.0.0.1:7000@17000 ${flags} ${primary} 0 0 1 connected ${slots}`.trim();
const seenAs = (...lines: string[]) => ownersIn(`${lines.join('\n')}\n`);

it('finds nothing wrong when every node names the same owner of each slot', () => {
  const byA = seenAs(line(A, 'myself,master', '-', '0-9999'), line(B, 'master', '-', '10000-16383'));
  const byB = seenAs(line(B, 'myself,master', '-', '10000-16383'), line(A, 'master', '-', '0-9999'));
  assert.deepEqual(wrongIn([byA, byB]), []);
  assert.deepEqual(byA.known, [A, B]);
});

it('waits while they differ', () => {
  const old = seenAs(line(A, 'myself,master', '-', '0-16383'));
  assert.equal(wrongIn([old, seenAs(line(A, 'master', '-', '0-16382'), line(B, 'master', '-', '16383'))]), null);
  assert.equal(wrongIn([]), null);
});

it('tells slots without an owner, slots with two, and primaries without slots', () => {
  const few = seenAs(line(A, 'master', '-', '0-16382'), line(B, 'slave', A, ''));
  assert.deepEqual(wrongIn([few]), ['16383 slots of 16384 have an owner']);
  const twice = seenAs(line(A, 'master', '-', '0-16383'), line(B, 'master', '-', '5'), line(C, 'master', '-', ''));
  assert.deepEqual(wrongIn([twice]), ['16384 slots of 16384 have an owner', '1 primaries without slots']);
});
