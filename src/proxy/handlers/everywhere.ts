/** Commands for the whole database: to every primary, or to one where any is as good as another. */
import type { Handler } from '../call.ts';
import { allCommands } from '../commands/facts.ts';
import { anyOf, Gather, listOf, sumOf, toAllPrimaries } from '../gather.ts';
import { slotOf } from '../hash-slot.ts';
import { CONFIG_HANDLERS } from './config.ts';
import { LATENCY_HANDLERS } from './latency.ts';
import { LOG_HANDLERS } from './logs.ts';

const toOne: Handler = (call) => call.forward(-1);

const everywhere =
  (combine: Parameters<typeof toAllPrimaries>[3]): Handler =>
  (call) =>
    toAllPrimaries(call.client, call.command.readsOnly, call.frame(), combine);

const sum = everywhere(sumOf);
const list = everywhere(listOf);
const done = everywhere(anyOf);

const keys: Handler = (call) => {
  const slot = slotOfPattern(call.arg(1));
  if (slot < 0) list(call);
  else call.forward(slot);
};

/** Characters of a pattern that stand for others. */
const WILDCARDS = new Set(['*', '?', '[', '\\'].map((character) => character.charCodeAt(0)));
const OPEN = 0x7b;
const CLOSE = 0x7d;

/** The slot of all keys that a pattern may match; -1 when they may be in several. */
export function slotOfPattern(pattern: Buffer): number {
  let open = -1;
  let hasTag = true;
  for (const [index, byte] of pattern.entries()) {
    if (WILDCARDS.has(byte)) return -1;
    if (open < 0 && byte === OPEN) open = index;
    else if (open >= 0 && hasTag && byte === CLOSE) {
      if (index > open + 1) return slotOf(pattern, open, index + 1);
      hasTag = false; // `{}` is no tag: the whole is hashed
    }
  }
  return slotOf(pattern, 0, pattern.length);
}

/** What a node finds wrong is said by one, before any has done anything. */
const flush: Handler = (call) => {
  const isRight = call.argc === 1 || (call.argc === 2 && /^(A?SYNC)$/i.test(call.text(1)));
  if (isRight) done(call);
  else call.forward(-1);
};

/** Harmless to know, also for those who may not do it. */
const help: Handler = (call) => {
  const gather = new Gather(call.client, (replies) => replies[0]!);
  const frame = call.frame();
  gather.send(-1, true, frame, 0, frame.length, call.home.adminLane);
  gather.seal();
};

const whoAmI: Handler = (call) => call.answer(call.session.user);

/** Those of which any primary says the same, or as much. */
const ANY_PRIMARY = [
  ...[
    'memory|doctor',
    'memory|malloc-stats',
    'memory|stats',
    'lastsave',
    'lolwut',
    'time',
    'module|list',
    'pfselftest',
  ],
  ...['latency|doctor'],
  ...['acl|cat', 'acl|genpass', 'acl|list', 'acl|users', 'acl|getuser', 'acl|dryrun', 'acl|log'],
  ...['command', 'command|count', 'command|docs', 'command|getkeys', 'command|getkeysandflags', 'command|info'],
  ...['command|list', 'pubsub|channels', 'pubsub|numsub', 'pubsub|numpat', 'function|list', 'function|dump'],
  ...['script|show'],
];

const HELPS = [...allCommands()].map(({ name }) => name).filter((name) => name.endsWith('|help'));

export const EVERYWHERE_HANDLERS: Readonly<Record<string, Handler>> = {
  ...Object.fromEntries(ANY_PRIMARY.map((name) => [name, toOne])),
  ...Object.fromEntries(HELPS.map((name) => [name, help])),
  ...CONFIG_HANDLERS,
  ...LATENCY_HANDLERS,
  ...LOG_HANDLERS,
  'acl|whoami': whoAmI,
  dbsize: sum,
  keys,
  flushall: flush,
  flushdb: flush,
  'config|resetstat': done,
  'memory|purge': done,
  'pubsub|shardchannels': list,
};
