/** What stands on one line of RESP behind its type, as a value. Each throws ProtocolError for text of another form. */
import { ProtocolError } from './reply.ts';

const malformed = (what: string, text: string): ProtocolError =>
  new ProtocolError(`not ${what}: ${JSON.stringify(text.slice(0, 80))}`);

const LOWEST = -(2n ** 63n);
const HIGHEST = 2n ** 63n - 1n;

/** A 64-bit integer (`:`): a bigint only where a number would not be exact. */
export function parseInteger(text: string): number | bigint {
  if (!/^[+-]?\d{1,19}$/.test(text)) throw malformed('an integer', text);
  const value = Number(text);
  if (Number.isSafeInteger(value)) return value + 0; // +0 makes -0 a plain zero
  const exact = BigInt(text.replace('+', ''));
  if (exact < LOWEST || exact > HIGHEST) throw malformed('a 64-bit integer', text);
  return exact;
}

/** An integer of any size (`(`). */
export function parseBigNumber(text: string): bigint {
  if (!/^[+-]?\d+$/.test(text)) throw malformed('a big number', text);
  return BigInt(text.replace('+', ''));
}

/** A double (`,`). */
export function parseDouble(text: string): number {
  if (/^[+-]?inf$/i.test(text)) return text.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  if (/^[+-]?nan$/i.test(text)) return Number.NaN;
  if (!/^[+-]?\d+(\.\d*)?(e[+-]?\d+)?$/i.test(text)) throw malformed('a double', text);
  return Number(text);
}

/** A boolean (`#`). */
export function parseBoolean(text: string): boolean {
  if (text !== 't' && text !== 'f') throw malformed('a boolean', text);
  return text === 't';
}

/** The length of a string or aggregate, at most `limit`. */
export function parseLength(text: string, limit: number): number {
  if (!/^\d{1,10}$/.test(text)) throw malformed('a length', text);
  const length = Number(text);
  if (length > limit) throw new ProtocolError(`a length of ${length} exceeds the limit of ${limit}`);
  return length;
}
