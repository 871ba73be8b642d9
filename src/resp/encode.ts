/** Commands as the engine reads them: an array of bulk strings (RESP2 and RESP3 alike). */

export type CommandArgument = string | Buffer | number;

const CRLF = '\r\n';

/** One command's bytes. Strings are sent as UTF-8. */
export function encodeCommand(args: readonly CommandArgument[]): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${args.length}${CRLF}`)];
  for (const argument of args) {
    const bytes = Buffer.isBuffer(argument) ? argument : Buffer.from(String(argument));
    parts.push(Buffer.from(`$${bytes.length}${CRLF}`), bytes, Buffer.from(CRLF));
  }
  return Buffer.concat(parts);
}
