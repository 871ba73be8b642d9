/** Commands that change what the commands around them mean: they have their client for themselves. */
import { encodeReply } from '../resp/encode-reply.ts';
import { ReplyError } from '../resp/reply.ts';
import type { Client } from './client.ts';
import { MUTED } from './entry.ts';

export interface InTurnOptions {
  /** The reply is out of band data: even a client that wants no replies gets it. */
  isPush?: boolean;
  /** The reply has been written. */
  written?: () => void;
}

/** Carries out a command when all before it are answered; the client takes none after it until its reply is written. */
export function inTurn(client: Client, task: () => Promise<Buffer>, options: InTurnOptions = {}): void {
  client.hold();
  const before = allAnswered(client);
  const entry = client.enqueue();
  if (options.isPush) entry.flags &= ~MUTED;
  before
    .then(() => (client.isClosed ? EMPTY : task()))
    .catch((error: unknown) => encodeReply(new ReplyError(`ERR ${(error as Error).message}`), 2))
    .then((reply) => {
      client.complete(entry, reply);
      if (!client.isClosed) options.written?.();
      client.release();
    });
}

/** When nothing of the client is under way: an entry of no bytes takes its place behind all others. */
async function allAnswered(client: Client): Promise<void> {
  if (client.inFlight === 0) return;
  const { session } = client;
  const { replies } = session;
  await new Promise<void>((resolve) => {
    const entry = client.enqueue();
    session.replies = replies; // it is no command that CLIENT REPLY SKIP means
    client.updatePlain();
    entry.flags |= MUTED;
    entry.isRepeated = true; // its holder is told when it is over
    entry.holder = { hold: () => {}, release: resolve };
    client.complete(entry, EMPTY);
  });
}

const EMPTY = Buffer.alloc(0);
