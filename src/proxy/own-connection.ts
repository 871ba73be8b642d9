/** Commands of the endpoint's own on one connection, beside what is sent by slot. */
import { type CommandArgument, encodeCommand } from '../resp/encode.ts';
import type { Reply } from '../resp/reply.ts';
import { decodeReply } from './decoded-reply.ts';
import { takeEntry } from './entry.ts';
import { finish } from './sender.ts';
import type { Upstream } from './upstream.ts';

/** Asks the node at the end of this connection; null when the connection is lost before it has answered. */
export function askOn(upstream: Upstream, args: readonly CommandArgument[]): Promise<Reply> {
  if (upstream.isClosed) return Promise.resolve(null);
  return new Promise((resolve) => {
    const entry = takeEntry();
    entry.taker = {
      takesParts: () => false,
      takeReply: (one, bytes, from, to) => {
        const reply = decodeReply(Buffer.from(bytes.subarray(from, to)));
        finish(one);
        resolve(reply);
      },
      takeLoss: (one) => {
        finish(one);
        resolve(null);
      },
    };
    const frame = encodeCommand(args);
    upstream.send(entry, frame, 0, frame.length);
  });
}
