/** Replies of nodes as values. */
import { Decoder } from '../resp/decode.ts';
import { type Reply, ReplyError } from '../resp/reply.ts';

export const SENSELESS = Buffer.from(
  '-ERR a node answered what makes no sense; the command may have been carried out\r\n',
);

/** A whole reply as a value; its strings as bytes. What is none, though it had the form of one, is an error. */
export function decodeReply(bytes: Buffer): Reply {
  const decoder = new Decoder({ binary: true, elements: 64 * 1024 * 1024 });
  try {
    decoder.push(bytes);
    return decoder.next()!;
  } catch {
    return new ReplyError(SENSELESS.toString('latin1', 1, SENSELESS.length - 2));
  }
}

/** `id` of the answer to HELLO. */
export function clientIdIn(reply: Reply): number {
  if (reply instanceof Map) return Number(reply.get('id') ?? 0);
  if (!Array.isArray(reply)) return 0;
  const at = reply.indexOf('id');
  return at < 0 ? 0 : Number(reply[at + 1]);
}
