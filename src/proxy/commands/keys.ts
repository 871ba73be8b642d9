/**
 * Which arguments of a command are its keys: what an engine of a cluster routes it by. `COMMAND GETKEYS` says the same
 * but for a few, mostly malformed commands (PFMERGE without a source, XREAD with an odd number of streams). Where an
 * engine finds none because something is wrong, none is found here: any node says what is wrong. Only of MSETEX the
 * keys are found, though an engine of a cluster finds none and writes them wherever it is sent.
 */
import type { CommandFacts } from './facts.ts';

/** The bytes of an argument; 0 is the command's name. Asked only for numbers below `argc`. */
export type ArgumentAt = (index: number) => Uint8Array;

/**
 * Appends the keys' indices to `found`, ascending, and returns it. The number of arguments should have been found
 * right (`fitsArity`); if it was not, what is not there is not found. A caller in a hurry reuses its array.
 */
export function keyPositions(
  command: CommandFacts,
  argc: number,
  argument: ArgumentAt,
  found: number[] = [],
): number[] {
  return positions(command, argc, argument, found, false);
}

/** As `keyPositions`, with what decides the slot like a key without being one: sharded channels, CLUSTERSCAN's cursor. */
export function slotPositions(
  command: CommandFacts,
  argc: number,
  argument: ArgumentAt,
  found: number[] = [],
): number[] {
  return positions(command, argc, argument, found, true);
}

function positions(
  command: CommandFacts,
  argc: number,
  argument: ArgumentAt,
  found: number[],
  withNotKeys: boolean,
): number[] {
  const special = SPECIAL.get(command.name);
  if (special) {
    special(argc, argument, found);
    return found;
  }
  const before = found.length;
  for (const { begin, counted, last, step, notKey } of command.keys) {
    if (notKey && !withNotKeys) continue;
    let first = begin;
    let end = last < 0 ? argc + last : begin + last;
    if (counted) {
      const count = begin < argc ? leadingInteger(argument(begin)) : 0;
      first = begin + 1;
      end = first + (count - 1) * step;
      if (count < 1 || end >= argc) {
        // The engine then takes none at all, a destination before the number included.
        found.length = before;
        return found;
      }
    }
    for (let index = first; index <= end && index < argc; index += step) found.push(index);
  }
  return found;
}

type Finder = (argc: number, argument: ArgumentAt, found: number[]) => void;

/** Where key specs say too little, or not what the command itself reads. */
const SPECIAL: ReadonlyMap<string, Finder> = new Map([
  ['sort', sortKeys],
  ['migrate', migrateKeys],
  ['georadius', geoRadiusKeys],
  ['georadiusbymember', geoRadiusKeys],
  ['xread', streamKeys],
  ['xreadgroup', streamKeys],
]);

/** SORT key [BY pattern] [LIMIT offset count] [GET pattern] ... [STORE destination]: the last STORE counts. */
function sortKeys(argc: number, argument: ArgumentAt, found: number[]): void {
  let store = 0;
  for (let index = 2; index < argc; index += 1) {
    const word = argument(index);
    if (isWord(word, 'LIMIT')) index += 2;
    else if (isWord(word, 'BY') || isWord(word, 'GET')) index += 1;
    else if (isWord(word, 'STORE') && index + 1 < argc) store = index + 1;
  }
  if (argc > 1) found.push(1);
  if (store > 0) found.push(store);
}

/** MIGRATE host port key|"" db timeout [COPY] [REPLACE] [AUTH password | AUTH2 user password] [KEYS key ...] */
function migrateKeys(argc: number, argument: ArgumentAt, found: number[]): void {
  for (let index = 6; index < argc; index += 1) {
    const word = argument(index);
    if (isWord(word, 'AUTH')) index += 1;
    else if (isWord(word, 'AUTH2')) index += 2;
    else if (isWord(word, 'KEYS')) {
      // A key as well as KEYS is an error.
      if (argument(3).length > 0) return;
      for (let key = index + 1; key < argc; key += 1) found.push(key);
      return;
    }
  }
  if (argc > 3) found.push(3);
}

/** GEORADIUS and GEORADIUSBYMEMBER: the last STORE or STOREDIST counts. */
function geoRadiusKeys(argc: number, argument: ArgumentAt, found: number[]): void {
  let store = 0;
  for (let index = 5; index + 1 < argc; index += 1) {
    const word = argument(index);
    if (!isWord(word, 'STORE') && !isWord(word, 'STOREDIST')) continue;
    index += 1;
    store = index;
  }
  if (argc > 1) found.push(1);
  if (store > 0) found.push(store);
}

/**
 * XREAD and XREADGROUP: options, then STREAMS key ... id ... The options are read one by one, because a group, a
 * consumer or a key may be named STREAMS too.
 */
function streamKeys(argc: number, argument: ArgumentAt, found: number[]): void {
  for (let index = 1; index < argc; index += 1) {
    const word = argument(index);
    if (isWord(word, 'BLOCK') || isWord(word, 'COUNT')) index += 1;
    else if (isWord(word, 'GROUP')) index += 2;
    else if (isWord(word, 'STREAMS')) {
      const rest = argc - index - 1;
      if (rest % 2 !== 0) return;
      for (let key = index + 1; key <= index + rest / 2; key += 1) found.push(key);
      return;
    } else if (!isWord(word, 'NOACK')) return;
  }
}

/** Whether the bytes are this word of capital letters and digits, in any case; the engine stops reading at a NUL. */
function isWord(bytes: Uint8Array, word: string): boolean {
  const { length } = word;
  if (bytes.length !== length && bytes[length] !== 0) return false;
  for (let index = 0; index < length; index += 1) {
    const byte = bytes[index]!;
    const upper = byte >= 0x61 && byte <= 0x7a ? byte - 0x20 : byte;
    if (upper !== word.charCodeAt(index)) return false;
  }
  return true;
}

/** As C's atoi: spaces, a sign, digits, and whatever comes then; 0 for no digits. */
function leadingInteger(bytes: Uint8Array): number {
  let index = 0;
  while (bytes[index] === 0x20 || (bytes[index]! >= 0x09 && bytes[index]! <= 0x0d)) index += 1;
  const negative = bytes[index] === 0x2d;
  if (negative || bytes[index] === 0x2b) index += 1;
  let value = 0;
  for (; bytes[index]! >= 0x30 && bytes[index]! <= 0x39; index += 1) {
    value = (Math.imul(value, 10) + bytes[index]! - 0x30) | 0;
  }
  return negative ? -value : value;
}
