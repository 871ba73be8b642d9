/**
 * WAIT and WAITAOF, for all primaries: the client may have written to any of them. The reply is the smallest number.
 *
 * What is promised: so many replicas of every present primary have all that it had when the command was taken, the
 * client's own writes among it as far as they were answered without an error. A write that was lost with a primary that
 * was replaced before is not among it: nobody can tell. When a primary is replaced during the wait, the reply is the
 * engine's error of a client that waits at a primary that is none any more.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { encodeReply } from '../../resp/encode-reply.ts';
import { type Reply, ReplyError } from '../../resp/reply.ts';
import { type AckWaiter, ackWatch, NOTHING_KNOWN } from '../ack-watch.ts';
import type { Call, Handler } from '../call.ts';
import type { Client } from '../client.ts';
import { ask, work } from '../gather.ts';
import { askOn } from '../own-connection.ts';
import type { Upstream } from '../upstream.ts';

const REPLACED = new ReplyError(
  'UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)',
);
/** Between two looks whether the client's earlier commands are answered. */
const DRAIN_STEP_MS = 2;
const LONG_MAX = 2n ** 63n - 1n;

/** An integer as the engine reads it; null when it is none. */
function long(call: Call, index: number): bigint | null {
  const text = call.text(index);
  if (!/^(0|-?[1-9]\d{0,18})$/.test(text)) return null;
  const value = BigInt(text);
  return value > LONG_MAX || value < -LONG_MAX - 1n ? null : value;
}

/** Milliseconds, 0 for ever; or the engine's error. */
function timeout(call: Call, index: number): number | string {
  const value = long(call, index);
  if (value === null) return 'ERR timeout is not an integer or out of range';
  if (value < 0n) return 'ERR timeout is negative';
  if (value > LONG_MAX - BigInt(Date.now())) return 'ERR timeout is out of range';
  return Number(value);
}

const NOT_INTEGER = 'ERR value is not an integer or out of range';

const wait: Handler = (call) => {
  const replicas = long(call, 1);
  if (replicas === null) return call.error(NOT_INTEGER);
  const ms = timeout(call, 2);
  if (typeof ms === 'string') return call.error(ms);
  block(call, ms, ['WAIT', 0, 0], (waiting) => waitForReplicas(waiting, Number(replicas)));
};

const waitaof: Handler = (call) => {
  const local = long(call, 1);
  if (local === null) return call.error(NOT_INTEGER);
  if (local < 0n || local > 1n) return call.error('ERR value is out of range, value must between 0 and 1');
  const replicas = long(call, 2);
  if (replicas === null) return call.error(NOT_INTEGER);
  if (replicas < 0n) return call.error('ERR value is out of range, must be positive');
  const ms = timeout(call, 3);
  if (typeof ms === 'string') return call.error(ms);
  block(call, ms, ['WAITAOF', 0, 0, 1], (waiting) => waitForFiles(waiting, Number(local), Number(replicas), ms));
};

/** What a wait needs to know of its client, and its end. */
interface Waiting {
  client: Client;
  /** Resolves when the time is over or the client is gone. */
  over: Promise<void>;
  /** Called when it is over. */
  end: (() => void)[];
}

/** Only this client waits. `harmless` is the command in a form that never blocks: the user may use it or not. */
function block(
  call: Call,
  ms: number,
  harmless: readonly (string | number)[],
  task: (waiting: Waiting) => Promise<Reply>,
): void {
  const { client, session } = call;
  work(client, async () => {
    const { promise: over, resolve } = Promise.withResolvers<void>();
    let isOver = false;
    const finish = (): void => {
      isOver = true;
      resolve();
    };
    const timer = ms > 0 && ms < 2 ** 31 ? setTimeout(finish, ms) : undefined;
    const waiting: Waiting = { client, over, end: [] };
    client.blockedOn = { engineClientId: 0, node: -1, abandon: finish };
    try {
      const allowed = await Promise.race([ask(client, -1, harmless), over]);
      if (allowed instanceof ReplyError) return encodeReply(allowed, session.resp);
      // What the client has sent before counts: it is answered first.
      while (client.inFlight > 1 && !isOver && !client.isClosed) await Promise.race([pause(DRAIN_STEP_MS), over]);
      return encodeReply(await task(waiting), session.resp);
    } finally {
      clearTimeout(timer);
      client.blockedOn = null;
      for (const end of waiting.end) end();
    }
  });
}

function waitForReplicas({ client, over, end }: Waiting, wanted: number): Promise<Reply> {
  const { home } = client;
  return new Promise((resolve) => {
    const waiters: AckWaiter[] = [];
    let unseen = 0;
    const smallest = (): number => Math.min(...waiters.map(({ count }) => count));
    for (const node of home.map.primaries()) {
      let isSeen = false;
      const waiter: AckWaiter = {
        ...NOTHING_KNOWN,
        looked: (isGone) => {
          if (isGone) resolve(REPLACED);
          if (!isSeen) unseen -= 1;
          isSeen = true;
          if (unseen === 0 && smallest() >= wanted) resolve(smallest());
        },
      };
      unseen += 1;
      waiters.push(waiter);
      end.push(() => ackWatch(home, node).leave(waiter));
    }
    for (const [index, node] of home.map.primaries().entries()) ackWatch(home, node).join(waiters[index]!);
    void over.then(() => resolve(waiters.length === 0 ? 0 : smallest()));
  });
}

/**
 * A write that changes nothing: libraries of functions, none, are added to those that are there. It gives the connection
 * an offset for WAITAOF to wait for. (The bytes are what FUNCTION DUMP says when there are none, in the version that
 * every engine since 7.2 reads.)
 */
const NO_LIBRARIES = Buffer.from('0b003444e133f2e04b53', 'hex');

/** By WAITAOF itself, at each primary on a connection of our own, behind a write that is behind those of the client. */
async function waitForFiles(
  { client, over, end }: Waiting,
  local: number,
  replicas: number,
  ms: number,
): Promise<Reply> {
  const { map, adminLane } = client.home;
  const at = async (node: number): Promise<Reply> => {
    const upstream: Upstream | null = adminLane.borrow(node);
    if (upstream === null) return REPLACED;
    let isAnswered = false;
    end.push(() => {
      if (isAnswered) adminLane.giveBack(node, upstream);
      else upstream.close(); // it still waits
    });
    const mark = askOn(upstream, ['FUNCTION', 'RESTORE', NO_LIBRARIES]);
    const answer = askOn(upstream, ['WAITAOF', local, replicas, ms]);
    const refusal = await mark;
    const reply = await answer;
    isAnswered = true;
    if (refusal instanceof ReplyError) return refusal;
    return reply ?? REPLACED;
  };
  const all = map.primaries().map(at);
  const error = Promise.all(
    all.map(async (one) => ((await one) instanceof ReplyError ? Promise.reject(await one) : one)),
  );
  // The engine's own time is over a little later than ours: it knows more.
  const grace = over.then(() => pause(GRACE_MS)).then(() => null);
  const answers = await Promise.race([error, grace]).catch((refused: unknown) => refused as ReplyError);
  if (answers === null) return [0, 0];
  if (answers instanceof ReplyError) return answers;
  const figures = answers as [number, number][];
  return [Math.min(...figures.map(([one]) => one)), Math.min(...figures.map(([, one]) => one))];
}

const GRACE_MS = 500;

export const WAIT_HANDLERS: Readonly<Record<string, Handler>> = { wait, waitaof };
