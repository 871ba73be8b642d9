import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readOutput } from './output.ts';

const UNIT = 'unit/keyspace';
const HEAD =
  'Cleanup: may take some time... OK\nStarting test server at port 21079\n[ready]: 30107\nTesting unit/keyspace\n';
const TAIL =
  '[1/1 done]: unit/keyspace (0 seconds)\n\n                   The End\n\nExecution time of different units:\n';
const summary = '*** [err]: DBSIZE in tests/unit/keyspace.tcl\nlines\n[ok]: not an entry (1 ms)\n';

describe('the output of the suite', () => {
  it('is read entry by entry', () => {
    const text = `${HEAD}[ok]: DEL (all) (12 ms)
[ignore]: Untagged multi-key commands: Not supported in cluster mode
[err]: DBSIZE in tests/unit/keyspace.tcl
Expected '1' to be equal to '2'
[not an entry]
[skip]: RENAME
[skip]: COPY in tests/unit/keyspace.tcl: no memory
[ok]: two
lines (0 ms)
${TAIL}${summary}`;
    assert.deepEqual(readOutput(text, UNIT), {
      outcomes: [
        { status: 'ok', name: 'DEL (all)', detail: '' },
        { status: 'failed', name: 'DBSIZE', detail: "Expected '1' to be equal to '2'\n[not an entry]" },
        { status: 'skipped', name: 'RENAME', detail: '' },
        { status: 'skipped', name: 'COPY', detail: 'no memory' },
        { status: 'ok', name: 'two\nlines', detail: '' },
      ],
      whole: true,
      stopped: null,
    });
  });

  it('tells an error between tests from a failed test', () => {
    const error =
      'a short\nERR unknown command\n    while executing\n"r nonsense"\n    (file "tests/unit/keyspace.tcl" line 5)';
    const { outcomes } = readOutput(`${HEAD}[err]: ${error}\n${TAIL}`, UNIT);
    assert.deepEqual(outcomes, [{ status: 'outside', name: '', detail: error }]);
  });

  it('tells what ended a unit early', () => {
    const exception = readOutput(
      `${HEAD}[ok]: DEL (1 ms)\n[exception]: Executing test client: ERR no.\nERR no\n`,
      UNIT,
    );
    assert.equal(exception.whole, false);
    assert.equal(exception.stopped, 'Executing test client: ERR no.\nERR no');
    assert.equal(exception.outcomes.length, 1);

    const hung = `${HEAD}[TIMEOUT]: clients state report follows.\nsock1 => (IN PROGRESS) DBSIZE\n\n                   The End\n`;
    const silent = readOutput(hung, UNIT);
    assert.deepEqual([silent.whole, silent.stopped], [false, 'no progress in: DBSIZE']);

    const killed = readOutput(`${HEAD}[ok]: DEL (1 ms)\n`, UNIT);
    assert.deepEqual([killed.whole, killed.stopped, killed.outcomes.length], [false, null, 1]);
  });
});
