/** FUNCTION: the same libraries at every primary. */
import { encodeReply, Status } from '../../resp/encode-reply.ts';
import { type Reply, ReplyError } from '../../resp/reply.ts';
import type { Call, Handler } from '../call.ts';
import type { Client } from '../client.ts';
import { ask, type Combine, slotsOfPrimaries, toAllPrimaries, unlessError, work } from '../gather.ts';
import { askOn } from '../own-connection.ts';

const isError = (reply: Reply): reply is ReplyError => reply instanceof ReplyError;

/**
 * On all primaries or on none, in one round. Where it succeeded while another refused, the libraries are made those of
 * the one that refused, which still has the former ones. (For as long as that takes, primaries differ.)
 */
const change: Handler = (call) => {
  const { client, session } = call;
  const args = call.args();
  work(client, async () => {
    const slots = slotsOfPrimaries(client);
    const replies = await Promise.all(slots.map((slot) => ask(client, slot, args)));
    const error = replies.find((reply) => isError(reply) && !isHarmless(reply, replies));
    if (error === undefined) {
      const done = replies.find((reply) => !isError(reply))!;
      return encodeReply(String(done) === 'OK' ? new Status('OK') : done, session.resp);
    }
    const changed = slots.filter((_, index) => !isError(replies[index]!));
    if (changed.length > 0) {
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
 * SCRIPT KILL, FUNCTION KILL: over connections of their own, since those that are shared wait for the script to end.
 * In database 0: an engine that is busy lets nobody select another.
 */
export const killEverywhere: Handler = (call: Call) => {
  const { client, session, home } = call;
  const args = call.args();
  work(client, async () => {
    const lane = home.joinLane({ ...client.lane.identity, db: 0 });
    const kill = async (node: number): Promise<Reply> => {
      const upstream = lane.borrow(node);
      if (upstream === null) return null;
      const reply = await askOn(upstream, args);
      lane.giveBack(node, upstream);
      return reply;
    };
    const replies = await Promise.all(home.map.primaries().map(kill));
    home.leaveLane(lane);
    if (replies.some((reply) => reply !== null && !isError(reply))) return encodeReply(new Status('OK'), session.resp);
    const errors = replies.filter(isError);
    const error = errors.find(({ code }) => code !== 'NOTBUSY') ?? errors[0];
    return encodeReply(error ?? new ReplyError('CLUSTERDOWN no primary could be reached'), session.resp);
  });
};

export const FUNCTION_HANDLERS: Readonly<Record<string, Handler>> = {
  'function|load': change,
  'function|delete': change,
  'function|flush': change,
  'function|restore': change,
  'function|kill': killEverywhere,
  'function|list': fullest,
  'function|dump': fullest,
};
