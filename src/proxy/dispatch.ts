/** From a command to its handler: what the engine would refuse is refused in the engine's order and words. */
import type { CommandScanner } from '../resp/command-scanner.ts';
import { encodeReply } from '../resp/encode-reply.ts';
import { ReplyError } from '../resp/reply.ts';
import { busyAnswer } from './busy-answer.ts';
import { Call, type Handler } from './call.ts';
import type { Client } from './client.ts';
import type { Command } from './commands/command-index.ts';
import { FLAGS } from './commands/facts.ts';
import { HANDLERS } from './handlers/handlers.ts';
import { endTransaction, queueCommand } from './handlers/transactions.ts';
import { postponed } from './postpone.ts';
import { routeByKeys } from './routing.ts';

/** Commands that are carried out at once, though a transaction has begun. */
const NOT_QUEUED = new Set(['exec', 'discard', 'multi', 'watch', 'quit', 'reset']);
/** What a RESP2 client may say while it is subscribed. */
const FOR_SUBSCRIBERS = new Set([
  ...['subscribe', 'unsubscribe', 'psubscribe', 'punsubscribe', 'ssubscribe', 'sunsubscribe', 'ping', 'quit', 'reset'],
]);
/** Within which a message may be published. */
const MAY_PUBLISH = new Set(['publish', 'spublish', 'exec', 'eval', 'evalsha', 'fcall']);
/** What ends a pause, and what says who a client is. */
const PAUSE_PASSES = new Set(['client|unpause', 'auth', 'hello', 'quit']);
/** Without a user: AUTH, HELLO, QUIT, RESET. */
const needsUser = (command: Command): boolean => (command.facts.flags & FLAGS.no_auth) === 0 && command.name !== 'quit';

/** Takes a command that is not plain; one that `hasWaited` for a pause or its turn does not wait again. */
export function dispatch(
  client: Client,
  parent: Command,
  scanner: CommandScanner,
  bytes: Buffer,
  from: number,
  to: number,
  hasWaited = false,
): void {
  const call = new Call(client, parent, scanner, bytes, from, to);
  const command = subcommandOf(call, parent);
  if (command === null) return refuse(client, unknownSubcommand(call));
  const { argc } = call;
  if (argc < command.minArgs || argc > command.maxArgs) {
    return refuse(client, `ERR wrong number of arguments for '${command.name}' command`);
  }
  const { session } = client;
  if (!session.isAuthenticated && needsUser(command)) return refuse(client, 'NOAUTH Authentication required.');
  session.lastCommand = command.name;
  const found = command === parent ? call : new Call(client, command, scanner, bytes, from, to);
  if (session.isSubscriberOnly && !FOR_SUBSCRIBERS.has(command.name)) {
    return refuse(
      client,
      `ERR Can't execute '${command.name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context`,
    );
  }
  if (client.home.busy.isOn) {
    const busy = busyAnswer(found);
    if (busy !== null) {
      if (command.name === 'exec') endTransaction(client);
      return refuse(client, busy);
    }
  }
  const again = (own: CommandScanner, frame: Buffer): void =>
    dispatch(client, parent, own, frame, 0, frame.length, true);
  const { pacing, pause } = client.home;
  if ((pause.isOn || pacing.isOn) && !hasWaited && !PAUSE_PASSES.has(command.name) && postponed(found, again)) return;
  if (session.transaction !== null && !NOT_QUEUED.has(command.name)) return queueCommand(found);
  carryOut(found);
}

function carryOut(call: Call): void {
  const { command } = call;
  const { policy } = command;
  if (policy.kind === 'refuse') return call.error(refusalOf(command));
  const handler: Handler | undefined = HANDLERS[command.name];
  if (handler) handler(call);
  else routeByKeys(call);
  if (MAY_PUBLISH.has(command.name)) keepMessagesBehind(call);
  if (call.session.caching !== null) endCaching(call);
}

/** What a client publishes and has subscribed to itself comes behind the reply, though it comes by another connection. */
function keepMessagesBehind({ client, session }: Call): void {
  const { last } = client;
  if (last !== null && session.subscriptions !== null && session.subscriptions.count > 0) last.hasPart = true;
}

/** CLIENT CACHING holds for one command, which is no CLIENT command, or for one transaction. */
function endCaching({ session, client, command }: Call): void {
  if (session.transaction !== null || command.parent?.name === 'client') return;
  session.caching = null;
  client.updatePlain();
}

/** The error for a command that is not possible through the endpoint. */
const refusalOf = ({ name, policy }: Command): string =>
  `ERR '${name.replace('|', ' ')}' is not possible through the endpoint: ${policy.about} ${policy.remedy}`;

/** The subcommand that is named; null when there is none of that name. */
function subcommandOf(call: Call, parent: Command): Command | null {
  if (parent.subcommands.size === 0 || call.argc < 2) return parent;
  return parent.subcommands.get(call.text(1).toLowerCase()) ?? null;
}

/** An error reply; within a transaction EXEC will be refused, too. */
function refuse(client: Client, text: string): void {
  const { transaction, resp } = client.session;
  if (transaction) transaction.isSpoilt = true;
  client.reply(encodeReply(new ReplyError(text), resp));
}

const clean = (text: string): string => text.replace(/[\r\n]/g, ' ');

function unknownSubcommand(call: Call): string {
  const name = call.command.name.toUpperCase();
  return `ERR unknown subcommand '${clean(call.text(1).slice(0, 128))}'. Try ${name} HELP.`;
}

/** The engine's answer to a command it does not have: its beginning and those of its arguments. */
export function unknown(client: Client, scanner: CommandScanner, bytes: Buffer, from: number): void {
  if (!client.session.isAuthenticated) return refuse(client, 'NOAUTH Authentication required.');
  const text = (index: number, length: number): string => {
    const start = from + scanner.starts[index]!;
    return clean(bytes.toString('utf8', start, start + Math.min(length, scanner.lengths[index]!)));
  };
  let args = '';
  for (let index = 1; index < scanner.argc && args.length < 128; index += 1) {
    args += `'${text(index, 128 - args.length)}' `;
  }
  refuse(client, `ERR unknown command '${text(0, 128)}', with args beginning with: ${args}`);
}
