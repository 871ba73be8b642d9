/** SLOWLOG and COMMANDLOG: the logs of all primaries as one, newest first, without what Valkeeper itself does there. */

import { encodeCommand } from '../../resp/encode.ts';
import { encodeReply } from '../../resp/encode-reply.ts';
import type { Reply } from '../../resp/reply.ts';
import type { Call, Handler } from '../call.ts';
import { findCommand } from '../commands/command-index.ts';
import { anyOf, type Combine, decodeReply, Gather, slotsOfPrimaries, toAllPrimaries, unlessError } from '../gather.ts';

const DEFAULT_COUNT = 10;
/** With which Valkeeper looks after nodes, and connections of the endpoint begin. */
const OF_VALKEEPER = new Set(['cluster', 'info', 'select', 'hello', 'readonly', 'replconf', 'psync', 'acl', 'client']);

/** id, time in seconds, microseconds or bytes, arguments, address, name. */
type Item = Reply[];

/** Items of all primaries, newest first; a command that went to all is told once. */
function merged(replies: readonly Buffer[]): Item[] {
  const all: { item: Item; rank: number }[] = [];
  for (const [rank, reply] of replies.entries()) {
    for (const item of decodeReply(reply) as Item[]) {
      if (isOfApps(item, rank)) all.push({ item, rank });
    }
  }
  all.sort((one, other) => Number(other.item[1]) - Number(one.item[1]) || Number(other.item[0]) - Number(one.item[0]));
  // Each node counts for itself: the number of the node makes ids differ.
  return all.map(({ item: [id, ...rest], rank }) => [Number(id) * replies.length + rank, ...rest]);
}

function isOfApps([, , , args]: Item, rank: number): boolean {
  const [name, sub] = (args as Buffer[]).map((arg) => Buffer.from(arg));
  if (name === undefined || OF_VALKEEPER.has(String(name).toLowerCase())) return false;
  const command = findCommand(name, 0, name.length);
  const exact = (sub && command?.subcommands.get(String(sub).toLowerCase())) ?? command;
  return rank === 0 || exact?.policy.kind !== 'all';
}

/** Asks every primary for its whole log. */
function askAll(call: Call, combine: Combine): void {
  const isSlowlog = call.command.name.startsWith('slowlog');
  const frame = encodeCommand(isSlowlog ? ['SLOWLOG', 'GET', -1] : ['COMMANDLOG', 'GET', -1, call.arg(call.argc - 1)]);
  const gather = new Gather(call.client, unlessError(combine));
  for (const slot of slotsOfPrimaries(call.client)) gather.send(slot, true, frame, 0, frame.length);
  gather.seal();
}

const get: Handler = (call) => {
  const text = call.argc > 2 ? call.text(2) : String(DEFAULT_COUNT);
  const count = Number(text);
  // What is wrong with it is said by a node.
  if (!/^-?\d{1,9}$/.test(text) || count < -1 || (call.command.name === 'slowlog|get' && call.argc > 3)) {
    return call.forward(-1);
  }
  const { resp } = call.session;
  askAll(call, (replies) => {
    const items = merged(replies);
    return encodeReply(count < 0 ? items : items.slice(0, count), resp);
  });
};

const length: Handler = (call) => askAll(call, (replies) => Buffer.from(`:${merged(replies).length}\r\n`));

const reset: Handler = (call) => toAllPrimaries(call.client, false, call.frame(), anyOf);

export const LOG_HANDLERS: Readonly<Record<string, Handler>> = {
  'slowlog|get': get,
  'slowlog|len': length,
  'slowlog|reset': reset,
  'commandlog|get': get,
  'commandlog|len': length,
  'commandlog|reset': reset,
};
