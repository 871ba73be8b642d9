/** FUNCTION: the same libraries at every primary. */
import { encodeReply, Status } from '../../resp/encode-reply.ts';
import { type Reply, ReplyError } from '../../resp/reply.ts';
import type { Call, Handler } from '../call.ts';
import type { Client } from '../client.ts';
import { ask, type Combine, pairsOf, slotsOfPrimaries, toAllPrimaries, unlessError, work } from '../gather.ts';
import { askOn } from '../own-connection.ts';

const isError = (reply: Reply): reply is ReplyError => reply instanceof ReplyError;

/**
 * On all primaries or on none, in one round. Where it succeeded while another refused, the libraries are made those of
 * the one that refused, which still has the former ones. (For as long as that takes, primaries differ.)
 */
const change: Handler = (call) => {
  const { client, session, command } = call;
  const args = call.args();
  work(client, async () => {
    const slots = slotsOfPrimaries(client);
    const replies = await Promise.all(slots.map((slot) => ask(client, slot, args, client.lane, { once: true })));
    const error = replies.find((reply) => isError(reply) && !isHarmless(reply, replies));
    if (error === undefined) {
      const done = replies.find((reply) => !isError(reply))!;
      return encodeReply(String(done) === 'OK' ? new Status('OK') : done, session.resp);
    }
    const changed = slots.filter((_, index) => !isError(replies[index]!));
    const isNew = command.name === 'function|load' && !/^replace$/i.test(String(args[2]));
    if (isNew) {
      // It was not there before.
      const name = replies.find((reply) => !isError(reply)) as Buffer | undefined;
      await Promise.all(changed.map((slot) => ask(client, slot, ['FUNCTION', 'DELETE', name!], client.home.adminLane)));
    } else if (changed.length > 0) {
      const refused = slots.filter((_, index) => isError(replies[index]!));
      await putBack(client, changed, refused);
    }
    return encodeReply(error, session.resp);
  });
};

async function putBack(client: Client, changed: readonly number[], refused: readonly number[]): Promise<void> {
  const { adminLane } = client.home;
  const dumps = await Promise.all(refused.map((slot) => ask(client, slot, ['FUNCTION', 'DUMP'], adminLane)));
  // The largest: a primary that is new may not have all libraries yet.
  const [dump] = dumps.filter((one) => Buffer.isBuffer(one)).sort((one, other) => other.length - one.length);
  if (dump === undefined) return;
  await Promise.all(changed.map((slot) => ask(client, slot, ['FUNCTION', 'RESTORE', dump, 'FLUSH'], adminLane)));
}

/** A library that is to go and is missing at some primaries only. */
const isHarmless = ({ message }: ReplyError, all: readonly Reply[]): boolean =>
  message === 'ERR Library not found' && !all.every(isError);

/** Of the answers of all primaries the longest: one that is new may not have all libraries yet. */
const longest: Combine = unlessError((replies) =>
  replies.reduce((one, other) => (other.length > one.length ? other : one)),
);

const fullest: Handler = (call) => toAllPrimaries(call.client, true, call.frame(), longest);

/**
 * Asks every primary over a connection of its own, since those that are shared wait for a script to end; null for one
 * that cannot be reached. In database 0: an engine that is busy lets nobody select another.
 */
async function askAside({ client, home }: Call, args: readonly Buffer[]): Promise<Reply[]> {
  const lane = home.joinLane({ ...client.lane.identity, db: 0 });
  const askOne = async (node: number): Promise<Reply> => {
    const upstream = lane.borrow(node);
    if (upstream === null) return null;
    const reply = await askOn(upstream, args);
    lane.giveBack(node, upstream);
    return reply;
  };
  const replies = await Promise.all(home.map.primaries().map(askOne));
  home.leaveLane(lane);
  return replies;
}

const UNREACHABLE = 'CLUSTERDOWN no primary could be reached';

/** SCRIPT KILL, FUNCTION KILL. */
export const killEverywhere: Handler = (call: Call) => {
  const { client, session } = call;
  const args = call.args();
  work(client, async () => {
    const replies = await askAside(call, args);
    if (replies.some((reply) => reply !== null && !isError(reply))) return encodeReply(new Status('OK'), session.resp);
    const errors = replies.filter(isError);
    const error = errors.find(({ code }) => code !== 'NOTBUSY') ?? errors[0];
    return encodeReply(error ?? new ReplyError(UNREACHABLE), session.resp);
  });
};

/** Of the primary that runs a script, if one does. */
const stats: Handler = (call) => {
  const { client, session } = call;
  const args = call.args();
  work(client, async () => {
    const replies = (await askAside(call, args)).filter((reply) => reply !== null);
    const running = replies.find((reply) => !isError(reply) && pairsOf(reply).get('running_script') !== null);
    return encodeReply(running ?? replies[0] ?? new ReplyError(UNREACHABLE), session.resp);
  });
};

export const FUNCTION_HANDLERS: Readonly<Record<string, Handler>> = {
  'function|load': change,
  'function|delete': change,
  'function|flush': change,
  'function|restore': change,
  'function|kill': killEverywhere,
  'function|stats': stats,
  'function|list': fullest,
  'function|dump': fullest,
};
