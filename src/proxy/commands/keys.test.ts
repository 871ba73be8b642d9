/** Keys of any bytes whatever; what an engine says about well-formed commands is compared in the integration tests. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { allCommands, COMMANDS, fitsArity } from './facts.ts';
import { keyPositions, slotPositions } from './keys.ts';

const WORDS = [
  'STORE',
  'store',
  'storedist',
  'KEYS',
  'AUTH2',
  'STREAMS',
  'GROUP',
  'BLOCK',
  'BY',
  'LIMIT',
  '-1',
  '2',
  '3',
];
const argument = fc.oneof(fc.constantFrom(...WORDS), fc.string({ maxLength: 3 })).map((text) => Buffer.from(text));

const keysOf = (...args: string[]): number[] =>
  keyPositions(COMMANDS.get(args[0]!)!, args.length, (index) => Buffer.from(args[index]!));

describe('keyPositions', () => {
  it('stays within the command, ascending, whatever the arguments are', () => {
    fc.assert(
      fc.property(fc.constantFrom(...allCommands()), fc.array(argument, { maxLength: 9 }), (command, args) => {
        const argc = args.length + 1;
        const at = (index: number): Buffer => args[index - 1] ?? assert.fail(`${command.name}: asked for ${index}`);
        for (const found of [keyPositions(command, argc, at), slotPositions(command, argc, at)]) {
          for (const [place, index] of found.entries()) {
            assert.ok(index > (found[place - 1] ?? 0) && index < argc, `${command.name}: ${found} of ${argc}`);
          }
        }
      }),
      { numRuns: 3_000 },
    );
  });

  it('adds to an array that is given', () => {
    const found = [7];
    const facts = COMMANDS.get('mget')!;
    assert.equal(
      keyPositions(facts, 3, () => assert.fail('it needs no argument'), found),
      found,
    );
    assert.deepEqual(found, [7, 1, 2]);
  });

  it('takes back a destination where the number of sources is wrong, as the engine does, and nothing else', () => {
    assert.deepEqual(keysOf('zunionstore', 'to', '2', 'a', 'b'), [1, 3, 4]);
    assert.deepEqual(keysOf('zunionstore', 'to', '3', 'a', 'b'), []);
  });

  it('reads words as the engine does, in any case and to the first NUL', () => {
    assert.deepEqual(keysOf('sort', 'a', 'sToRe', 'b'), [1, 3]);
    assert.deepEqual(keysOf('sort', 'a', 'STORE\0x', 'b'), [1, 3]);
    assert.deepEqual(keysOf('sort', 'a', 'STORES', 'b'), [1]);
  });

  it('tells channels from keys', () => {
    const facts = COMMANDS.get('ssubscribe')!;
    const at = (): Buffer => assert.fail('it needs no argument');
    assert.deepEqual(keyPositions(facts, 3, at), []);
    assert.deepEqual(slotPositions(facts, 3, at), [1, 2]);
  });
});

describe('fitsArity', () => {
  it('counts the names, and takes more only where there may be', () => {
    const fits = (name: string, argc: number): boolean => fitsArity(COMMANDS.get(name)!, argc);
    assert.deepEqual([fits('get', 1), fits('get', 2), fits('get', 3)], [false, true, false]);
    assert.deepEqual([fits('mget', 1), fits('mget', 2), fits('mget', 9)], [false, true, true]);
  });
});
