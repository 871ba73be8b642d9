/**
 * Loaded before each file of tests: what a failed test has left running, such as a client that tries for ever, ends with
 * the file a little later, and does not hold up the run. Not by `--test-force-exit`, which drops results that are on
 * their way to the runner.
 */
import { after } from 'node:test';

const GRACE_MS = 20_000;

const endLater = (): void => {
  setTimeout(() => {
    console.error('The tests of this file have ended, and something of it still runs: it is ended.');
    process.exit(1);
  }, GRACE_MS).unref();
};

// Programs that tests start with the flags of their own process load this, too.
if (process.argv[1]?.endsWith('.test.ts')) after(endLater);
