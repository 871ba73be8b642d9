/** Commands as the engine reads them: an array of bulk strings (RESP2 and RESP3 alike). */

export type CommandArgument = string | Buffer | number;

/**
 * One command's bytes, in one allocation. Strings are sent as UTF-8, numbers in decimal.
 * @throws RangeError for no arguments at all (the engine would not answer, and every later answer would be taken for
 * the wrong command) and for a number that is not finite
 */
export function encodeCommand(args: readonly CommandArgument[]): Buffer {
  if (args.length === 0) throw new RangeError('a command needs a name');
  const values = args.map((argument) => (typeof argument === 'number' ? decimal(argument) : argument));
  const sizes = values.map((value) => (typeof value === 'string' ? Buffer.byteLength(value) : value.length));
  const lengths = sizes.map(String);
  const count = String(values.length);

  // `*` count CRLF, then for each argument `$` length CRLF bytes CRLF.
  let total = count.length + 3;
  for (const [index, size] of sizes.entries()) total += lengths[index]!.length + size + 5;

  const frame = Buffer.allocUnsafe(total);
  let at = frame.write(`*${count}\r\n`, 'latin1');
  for (const [index, value] of values.entries()) {
    at += frame.write(`$${lengths[index]}\r\n`, at, 'latin1');
    at += typeof value === 'string' ? frame.write(value, at) : value.copy(frame, at);
    at += frame.write('\r\n', at, 'latin1');
  }
  return frame;
}

function decimal(value: number): string {
  if (!Number.isFinite(value)) throw new RangeError(`not a number the engine reads: ${value}`);
  return String(value);
}
