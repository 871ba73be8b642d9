/** A short look at the commands that a node gets (MONITOR). */
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeCommand } from '../resp/encode.ts';
import { ReplyError } from '../resp/reply.ts';
import { EngineReplyError } from './engine-errors.ts';
import { Session, type SessionOptions } from './session.ts';

/**
 * Tells every command that the node gets, its name first, until the time is over or so many were told.
 * @throws EngineUnreachable, EngineReplyError
 */
export async function sampleCommands(
  options: SessionOptions,
  most: { ms: number; commands: number },
  seen: (args: string[]) => void,
): Promise<void> {
  const over = Promise.withResolvers<void>();
  let count = 0;
  const session = new Session(options, {
    ready: () => session.write(encodeCommand(['MONITOR'])),
    reply: (reply) => {
      if (reply instanceof ReplyError) return over.reject(new EngineReplyError('MONITOR', reply));
      const args = argumentsIn(String(reply));
      if (args.length === 0) return; // its OK
      seen(args);
      count += 1;
      if (count >= most.commands) over.resolve();
    },
    ended: (why) => over.reject(why),
  });
  const enough = new AbortController();
  sleep(most.ms, null, { signal: enough.signal }).then(
    () => over.resolve(),
    () => {},
  );
  try {
    await over.promise;
  } finally {
    enough.abort();
    session.end();
  }
}

const ESCAPES: Record<string, string> = { n: '\n', r: '\r', t: '\t', a: '\x07', b: '\b' };

/** `1339518083.107412 [0 127.0.0.1:60866] "set" "x" "a b"` (sdscatrepr of Valkey): what stands in quotes. */
export const argumentsIn = (line: string): string[] =>
  [...line.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, text]) => {
    const bytes = text!.replace(/\\(?:x([0-9a-f]{2})|(.))/g, (_, hex: string | undefined, letter: string) =>
      hex === undefined ? (ESCAPES[letter] ?? letter) : String.fromCharCode(Number.parseInt(hex, 16)),
    );
    return Buffer.from(bytes, 'latin1').toString();
  });
