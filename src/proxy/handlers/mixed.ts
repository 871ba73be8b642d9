/**
 * EXEC of a transaction that has, besides commands for one node, some that the endpoint answers or that go to every
 * primary. Those for the node come first, as one transaction; when it was carried out the others follow, one after the
 * other, before the client's next command. Their replies are put into one array, in the order in which they were queued.
 */
import { CommandScanner, ENGINE_LIMITS } from '../../resp/command-scanner.ts';
import { ReplyScanner } from '../../resp/reply-scanner.ts';
import type { Call } from '../call.ts';
import type { Client } from '../client.ts';
import { type Command, findCommand } from '../commands/command-index.ts';
import { MUTED } from '../entry.ts';
import type { Transaction } from '../session.ts';

const ARRAY = 0x2a;
/** Of the length of a null array. */
const MINUS = 0x2d;
const EMPTY = Buffer.alloc(0);

/** Of the endpoint's own, those that are answered while their client's turn is kept. */
const OWN = new Set([
  ...['auth', 'client|getname', 'client|getredir', 'client|id', 'client|info', 'client|kill', 'client|list'],
  ...['client|no-evict', 'client|pause', 'client|setinfo', 'client|setname', 'client|trackinginfo', 'client|unblock'],
  ...['client|unpause', 'client|capa', 'config|get', 'info', 'role', 'function|list', 'function|dump'],
  ...['script|show', 'acl|whoami'],
]);
/** Nothing of what a node does depends on when they are carried out: they need not stand behind what a node does. */
const ANYWHERE = new Set(['client|getname', 'client|id', 'client|pause', 'client|unpause', 'role', 'acl|whoami']);

/** Whether a command can be carried out by the endpoint at the end of a transaction. */
export const canFollow = ({ name, policy }: Command): boolean => policy.kind === 'all' || OWN.has(name);

/** Keeps a command for the end. */
export function queueForEnd(call: Call, transaction: Transaction): void {
  const { frames, others } = transaction;
  others.push({ name: call.command.name, frame: call.frame(), place: frames.length + others.length });
}

/** Why a node's command cannot be queued behind those that are there already; null when it can. */
export const whyNotBehind = ({ others }: Transaction): string | null => {
  const other = others.find(({ name }) => !ANYWHERE.has(name));
  if (!other) return null;
  return `ERR '${other.name.replace('|', ' ')}' goes to every shard and within a transaction must stand behind the commands with keys`;
};

/** Carries it out. `beginNodePart` begins what is for the node, whose reply is the client's next. */
export async function runMixed(client: Client, transaction: Transaction, beginNodePart: (() => void) | null) {
  const parent = client.enqueue();
  client.hold();
  const replies: Buffer[] = [];
  if (beginNodePart !== null) {
    const reply = await replyOf(client, beginNodePart);
    if (reply[0] !== ARRAY || reply[1] === MINUS) {
      client.complete(parent, reply);
      return client.release();
    }
    replies.push(...elementsOf(reply));
  }
  for (const { frame, place } of transaction.others) {
    replies.splice(place, 0, await replyOf(client, () => carryOut(client, frame)));
  }
  client.complete(parent, Buffer.concat([Buffer.from(`*${replies.length}\r\n`), ...replies]));
  client.release();
}

function carryOut(client: Client, frame: Buffer): void {
  const scanner = new CommandScanner();
  scanner.scan(frame, 0, frame.length, ENGINE_LIMITS);
  const command = findCommand(frame, scanner.starts[0]!, scanner.lengths[0]!)!;
  client.home.dispatcher.dispatch(client, command, scanner, frame, 0, frame.length, true);
}

/** The whole reply to what `begin` sends: it waits behind the one of EXEC, and is not written by itself. */
async function replyOf(client: Client, begin: () => void): Promise<Buffer> {
  const before = client.last;
  begin();
  const entry = before?.next;
  if (!entry) return EMPTY; // the client is gone
  entry.flags |= MUTED;
  if (!entry.isDone) {
    await new Promise<void>((resolve) => {
      client.replyWaits = () => {
        if (entry.isDone) resolve();
      };
    });
    client.replyWaits = null;
  }
  return Buffer.from(entry.reply!.bytes.subarray(entry.replyFrom, entry.replyTo));
}

function elementsOf(array: Buffer): Buffer[] {
  const elements: Buffer[] = [];
  const scanner = new ReplyScanner();
  for (let at = array.indexOf('\n') + 1; at < array.length; ) {
    const end = scanner.scan(array, at, array.length);
    elements.push(array.subarray(at, end));
    at = end;
  }
  return elements;
}
