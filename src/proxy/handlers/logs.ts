/** SLOWLOG and COMMANDLOG: the logs of all primaries as one, newest first, without what Valkeeper itself does there. */

import { encodeCommand } from '../../resp/encode.ts';
import { encodeReply } from '../../resp/encode-reply.ts';
import type { Reply } from '../../resp/reply.ts';
import type { Call, Handler } from '../call.ts';
import { findCommand } from '../commands/command-index.ts';
import { decodeReply } from '../decoded-reply.ts';
import { anyOf, type Combine, Gather, pairsOf, slotsOfPrimaries, toAllPrimaries, unlessError } from '../gather.ts';

const DEFAULT_COUNT = 10;
/** With which Valkeeper looks after nodes, and connections of the endpoint begin. */
const OF_VALKEEPER = new Set(['cluster', 'info', 'select', 'hello', 'readonly', 'replconf', 'psync', 'acl', 'client']);

/** id, time in seconds, microseconds or bytes, arguments, address, name. */
type Item = Reply[];

/** Items of all primaries, newest first; a command that went to all is told once. */
function merged(replies: readonly Buffer[]): Item[] {
  const logs = replies.map((reply, rank) => {
    const items = (decodeReply(reply) as Item[]).filter((item) => !isOfValkeeper(item));
    return items.filter((item) => rank === 0 || !wentToAll(item));
  });
  const all: Item[] = [];
  for (;;) {
    const rank = newest(logs);
    const item = logs[rank]?.shift();
    if (!item) return all;
    const [id, ...rest] = item;
    // Each node counts for itself: the number of the node makes ids differ.
    all.push([Number(id) * logs.length + rank, ...rest]);
  }
}

/** Which log has the newest item at its head. Of the same second, what went to all is older: RESET comes before what it lets in. */
function newest(logs: readonly Item[][]): number {
  let best = -1;
  let bestTime = -1;
  for (const [rank, [item]] of logs.entries()) {
    if (!item) continue;
    const time = 2 * Number(item[1]) + (wentToAll(item) ? 0 : 1);
    if (time <= bestTime) continue;
    best = rank;
    bestTime = time;
  }
  return best;
}

const isOfValkeeper = ([, , , args]: Item): boolean => OF_VALKEEPER.has(String((args as Buffer[])[0]).toLowerCase());

function wentToAll([, , , args]: Item): boolean {
  const [name, sub] = args as Buffer[];
  const command = findCommand(name!, 0, name!.length);
  const exact = (sub && command?.subcommands.get(String(sub).toLowerCase())) ?? command;
  return exact?.policy.kind === 'all';
}

/** Asks every primary for its whole log. */
function askAll(call: Call, answer: (items: Item[]) => Buffer): void {
  const isSlowlog = call.command.name.startsWith('slowlog');
  const kind = isSlowlog ? 'slow' : call.text(call.argc - 1).toLowerCase();
  const limit = kind === 'slow' ? 'slowlog-max-len' : `commandlog-${kind}-max-len`;
  const frame = encodeCommand(isSlowlog ? ['SLOWLOG', 'GET', -1] : ['COMMANDLOG', 'GET', -1, call.arg(call.argc - 1)]);
  const combine: Combine = (replies) => {
    const [, longest] = [...pairsOf(decodeReply(replies.pop()!))][0] ?? [];
    return answer(merged(replies).slice(0, Number(longest ?? Number.MAX_SAFE_INTEGER)));
  };
  const gather = new Gather(call.client, unlessError(combine));
  for (const slot of slotsOfPrimaries(call.client)) gather.send(slot, true, frame, 0, frame.length);
  // As long as one node's may be.
  const question = encodeCommand(['CONFIG', 'GET', limit]);
  gather.send(-1, true, question, 0, question.length, call.home.adminLane);
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
  askAll(call, (items) => encodeReply(count < 0 ? items : items.slice(0, count), resp));
};

const length: Handler = (call) => askAll(call, (items) => Buffer.from(`:${items.length}\r\n`));

const reset: Handler = (call) => toAllPrimaries(call.client, false, call.frame(), anyOf);

export const LOG_HANDLERS: Readonly<Record<string, Handler>> = {
  'slowlog|get': get,
  'slowlog|len': length,
  'slowlog|reset': reset,
  'commandlog|get': get,
  'commandlog|len': length,
  'commandlog|reset': reset,
};
