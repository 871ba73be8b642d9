/**
 * The users that a spec may list. Their rules are words of the engine's ACL language about what a user may do; who it is,
 * its password and whether it may enter at all are Valkeeper's.
 */
import { SPEC_LIMITS, type UserSpec } from './spec.ts';

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const MAX_RULES_LENGTH = 4096;

/** The command categories of Valkey 9.1 (ACL CAT). */
const CATEGORIES = [
  ...['keyspace', 'read', 'write', 'set', 'sortedset', 'list', 'hash', 'string', 'bitmap', 'hyperloglog', 'geo'],
  ...['stream', 'pubsub', 'admin', 'fast', 'slow', 'blocking', 'dangerous', 'connection', 'transaction', 'scripting'],
  'all',
];

const WORDS = [
  'allkeys',
  'resetkeys',
  'allchannels',
  'resetchannels',
  'allcommands',
  'nocommands',
  'alldbs',
  'resetdbs',
];
const KEYS = /^(~|%(R|W|RW|WR)~)[!-~]+$/i;
const CHANNELS = /^&[!-~]+$/;
const DATABASES = /^db=\d{1,2}(,\d{1,2})*$/;
const COMMAND = /^[+-][a-z0-9][a-z0-9_.-]*(\|[a-z0-9_:.-]+)?$/i;

/** What is wrong with one word of a user's rules; null when nothing is. */
function ruleMistake(word: string): string | null {
  if (WORDS.includes(word.toLowerCase()) || KEYS.test(word) || CHANNELS.test(word)) return null;
  if (DATABASES.test(word) || COMMAND.test(word)) return null;
  const category = /^[+-]@(.*)$/.exec(word)?.[1]?.toLowerCase();
  if (category !== undefined) {
    return CATEGORIES.includes(category) ? null : `there is no category of commands ${category}`;
  }
  if (/^([>#<!]|nopass$|resetpass$)/i.test(word)) return 'passwords are made by Valkeeper (`valkeeper db password`)';
  if (/^(on|off|reset)$/i.test(word)) return `${word} is not for rules: a user that is listed may enter`;
  return `${word.slice(0, 40)} is not a rule about keys (~), channels (&), commands (+, -) or databases (db=)`;
}

/** What is wrong with a user of a spec; null when nothing is. */
export function userMistake({ name, rules }: UserSpec): string | null {
  if (!NAME.test(name)) {
    return `${JSON.stringify(name)} is not a user's name: 1 to 64 letters, digits, dots, hyphens and underscores`;
  }
  if (/^(default$|valkeeper)/i.test(name)) return `the name ${name} is Valkeeper's own`;
  if (rules.length > MAX_RULES_LENGTH) return `the rules of ${name} are longer than ${MAX_RULES_LENGTH} characters`;
  for (const word of rules.split(/\s+/).filter(Boolean)) {
    const mistake = ruleMistake(word);
    if (mistake) return `${name}: ${mistake}`;
  }
  return null;
}

/** What is wrong with the users of a spec; null when nothing is. */
export function usersMistake(users: readonly UserSpec[]): string | null {
  if (users.length > SPEC_LIMITS.users.max) return `more than ${SPEC_LIMITS.users.max} users`;
  const names = users.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) return `the user ${twice} is listed twice`;
  return users.map(userMistake).find((mistake) => mistake !== null) ?? null;
}
