/**
 * A process for store-crash.test.ts. `node store-writer.ts FILE write N`: opens the store, prints "open", then commits
 * pairs of entries numbered from N and prints each number once its commit is acknowledged, without end.
 * `... hold`: opens the store, prints "open" and keeps it. A refusal is printed as its code, with exit code 1.
 */
import { writeSync } from 'node:fs';
import { ValkeeperError } from '../../src/domain/errors.ts';
import { openSqliteStore } from '../../src/store/sqlite.ts';

const [path = '', mode, first = '0'] = process.argv.slice(2);
/** At once and unbuffered: what was printed was acknowledged before the process could die. */
const say = (line: string): void => void writeSync(1, `${line}\n`);

try {
  const store = openSqliteStore(path);
  say('open');
  if (mode === 'hold') process.stdin.resume(); // until it is killed, or the test with it
  for (let n = Number(first); mode === 'write'; n++) {
    const text = `${n}:`.repeat(1 + (n % 700));
    await store.commit([
      { put: `left/${n}`, value: { n, text } },
      { put: `right/${n}`, value: { n, text } },
      { put: 'count', value: n },
    ]);
    say(String(n));
  }
} catch (error) {
  say(error instanceof ValkeeperError ? error.code : String(error));
  process.exit(1);
}
