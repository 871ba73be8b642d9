/** The filters of CLIENT LIST and CLIENT KILL, and the errors of those that are wrong, as the engine has them. */
import { ageSeconds, capabilitiesOf, flagsOf, idleSeconds } from './client-line.ts';
import type { Home, Peer } from './home.ts';
import { partsOfAddress } from './session.ts';

type Test = (peer: Peer, home: Home) => boolean;

export interface ClientFilter {
  /** Whether the client that asks is left out. */
  skipsMe: boolean;
  matches: Test;
}

/** What the engine calls a client of another kind; the endpoint has none. */
const TYPES = new Set(['normal', 'slave', 'replica', 'pubsub', 'master', 'primary']);
const FLAGS = /^[OSMPxbtRBdcuAUreTIiEN]*$/;

const hasAll = (letters: string, wanted: string): boolean => [...wanted].every((letter) => letters.includes(letter));

class Wrong {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** Makes the test of a filter with one value, or says what is wrong with it. */
type Maker = (value: string, name: string, context: { users: ReadonlySet<string>; databases: number }) => Test | Wrong;

const equal =
  (read: (peer: Peer) => string): Maker =>
  (value) =>
  (peer) =>
    read(peer) === value;

/** A filter by a text that a client need not have. */
const given =
  (read: (peer: Peer) => string): Maker =>
  (value) =>
  (peer) =>
    read(peer) !== '' && read(peer) === value;

const atLeast =
  (read: Test | ((peer: Peer, home: Home) => number)): Maker =>
  (value, name) => {
    if (!isLong(value)) return new Wrong(`ERR ${name} is not an integer or out of range`);
    if (BigInt(value) <= 0n) return new Wrong(`ERR ${name} should be greater than 0`);
    return (peer, home) => Number(read(peer, home)) >= Number(value);
  };

/** Whether the engine reads it as an integer of 64 bits. */
export const isLong = (text: string): boolean =>
  /^(0|-?[1-9]\d{0,18})$/.test(text) && BigInt.asIntN(64, BigInt(text)) === BigInt(text);

const unknownLetters = (what: string, name: string, value: string): Wrong =>
  new Wrong(
    `ERR Unknown ${what} found in the ${name.startsWith('not-') ? `${name.toUpperCase()} filter` : 'provided filter'}: ${value}`,
  );

/** By name; each also as `not-` and the name, but for those that only have one sense. */
const MAKERS: Readonly<Record<string, Maker>> = {
  addr: equal(({ session }) => session.address),
  laddr: equal(({ session }) => session.localAddress),
  name: given(({ session }) => session.name),
  'lib-name': given(({ session }) => session.libName),
  'lib-ver': given(({ session }) => session.libVersion),
  ip: equal(({ session }) => partsOfAddress(session.address)[0]),
  type: (value) => {
    const type = value.toLowerCase();
    if (!TYPES.has(type)) return new Wrong(`ERR Unknown client type '${value}'`);
    return ({ session }) => type === ((session.subscriptions?.count ?? 0) > 0 ? 'pubsub' : 'normal');
  },
  user: (value, _, { users }) =>
    users.has(value) ? ({ session }) => session.user === value : new Wrong(`ERR No such user '${value}'`),
  flags: (value, name) =>
    FLAGS.test(value) ? (peer, home) => hasAll(flagsOf(peer, home), value) : unknownLetters('flags', name, value),
  capa: (value, name) =>
    /^r*$/.test(value) ? (peer) => hasAll(capabilitiesOf(peer), value) : unknownLetters('capa', name, value),
  db: (value, name, { databases }) => {
    const shown = name.toUpperCase();
    if (!isLong(value)) return new Wrong(`ERR ${shown} is not an integer or out of range`);
    if (Number(value) < 0 || Number(value) >= databases) {
      return new Wrong(`ERR ${shown} number should be between 0 and ${databases - 1}`);
    }
    return ({ session }) => session.db === Number(value);
  },
};
const ONE_SENSE: Readonly<Record<string, Maker>> = { maxage: atLeast(ageSeconds), idle: atLeast(idleSeconds) };

/**
 * Reads filters, of which the last of a name counts; ids add up.
 * @returns the error's text when one is wrong
 */
export function parseClientFilter(
  args: readonly string[],
  context: { users: ReadonlySet<string>; databases: number },
  skipsMe: boolean,
): ClientFilter | string {
  const tests = new Map<string, Test>();
  const ids: Record<string, Set<string>> = {};
  let skips = skipsMe;
  for (let at = 0; at < args.length; ) {
    const name = args[at]!.toLowerCase();
    if (name === 'id' || name === 'not-id') {
      ids[name] ??= new Set();
      for (at += 1; at < args.length && isLong(args[at]!); at += 1) {
        if (BigInt(args[at]!) < 1n) return 'ERR client-id should be greater than 0';
        ids[name].add(args[at]!);
      }
      continue;
    }
    const value = args[at + 1];
    if (value === undefined) return 'ERR syntax error';
    if (name === 'skipme') {
      if (!/^(yes|no)$/i.test(value)) return 'ERR syntax error';
      skips = value.toLowerCase() === 'yes';
    } else {
      const made = testOf(name, value, context);
      if (made instanceof Wrong) return made.text;
      tests.set(name, made);
    }
    at += 2;
  }
  const { id, 'not-id': notId } = ids;
  if (id) tests.set('id', ({ session }) => id.has(String(session.id)));
  if (notId) tests.set('not-id', ({ session }) => !notId.has(String(session.id)));
  const all = [...tests.values()];
  return { skipsMe: skips, matches: (peer, home) => all.every((test) => test(peer, home)) };
}

function testOf(name: string, value: string, context: Parameters<Maker>[2]): Test | Wrong {
  const maker = MAKERS[name] ?? ONE_SENSE[name];
  if (maker) return maker(value, name, context);
  const positive = name.startsWith('not-') ? MAKERS[name.slice(4)] : undefined;
  if (!positive) return new Wrong('ERR syntax error');
  const test = positive(value, name, context);
  return test instanceof Wrong ? test : (peer, home) => !test(peer, home);
}
