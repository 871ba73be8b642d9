import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatBaseline, parseBaseline, readBaseline } from './baseline.ts';
import { compare } from './compare.ts';
import { EXPECTED_FAILURES } from './expected-failures.ts';
import type { Outcome } from './output.ts';

const outcome = (name: string, status: Outcome['status'] = 'ok', detail = ''): Outcome => ({ name, status, detail });

describe('the comparison with the baseline', () => {
  it('counts what was seen to pass, and nothing else', () => {
    const seen = [
      outcome('a'),
      outcome('b', 'failed', 'why'),
      outcome('c', 'skipped'),
      outcome('', 'outside', 'cut'),
      outcome('new'),
    ];
    assert.deepEqual(compare(['a', 'b', 'c', 'd'], seen), {
      expected: 4,
      passed: 1,
      notPassed: [
        { name: 'b', how: 'failed', detail: 'why' },
        { name: 'c', how: 'skipped', detail: '' },
        { name: 'd', how: 'not run', detail: '' },
      ],
    });
  });

  it('counts a name as often as the baseline has it', () => {
    const twice = compare(['a', 'a', 'a'], [outcome('a', 'failed', 'why'), outcome('a')]);
    assert.equal(twice.passed, 1);
    assert.deepEqual(
      twice.notPassed.map(({ how }) => how),
      ['failed', 'not run'],
    );
    assert.equal(compare(['a'], [outcome('a'), outcome('a')]).passed, 1);
  });
});

describe('the baseline', () => {
  it('is written as it is read', () => {
    const units = new Map([
      ['unit/one', ['a', 'b # not a unit', 'a', ' c']],
      ['unit/two', ['b']],
    ]);
    assert.deepEqual(parseBaseline(formatBaseline({ version: '9.1.2', units })), { version: '9.1.2', units });
    assert.throws(() => formatBaseline({ version: '9.1.2', units: new Map([['unit/one', ['# a']]]) }), /one line/);
    assert.throws(() => parseBaseline('# unit/one\na\n'), /version/);
  });

  it('has every test that is listed as not passing', () => {
    const { units } = readBaseline();
    for (const [unit, tests] of Object.entries(EXPECTED_FAILURES)) {
      for (const name of Object.keys(tests)) assert.ok(units.get(unit)?.includes(name), `${unit}: ${name}`);
    }
  });
});
