/** Replies as a server writes them, in RESP2 or RESP3. */
import { Push, type Reply, ReplyError } from './reply.ts';

/** A simple string, `+OK`. */
export class Status {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A number that is a double in RESP3 and text in RESP2. */
export class Double {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** RESP2's null array, where the engine says `*-1`. */
export const NULL_ARRAY = Symbol('null array');

/** Text with a format, a bulk string in RESP2: what the engine writes for people to read. */
export class Verbatim {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type Answer = Reply | Status | Double | Verbatim | typeof NULL_ARRAY | Answer[] | Map<Answer, Answer>;

const CRLF = Buffer.from('\r\n');

/** Errors and simple strings end at a line break: what a client sent must not put one into them. */
const oneLine = (text: string): string => text.replace(/[\r\n]/g, ' ');

/** The bytes of a reply. Maps, sets, booleans and doubles take RESP2's forms where RESP3 is not spoken. */
export function encodeReply(answer: Answer, resp: 2 | 3): Buffer {
  const parts: Buffer[] = [];
  add(parts, answer, resp);
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}

function add(parts: Buffer[], answer: Answer, resp: 2 | 3): void {
  if (answer === null) parts.push(Buffer.from(resp === 3 ? '_\r\n' : '$-1\r\n'));
  else if (answer === NULL_ARRAY) parts.push(Buffer.from(resp === 3 ? '_\r\n' : '*-1\r\n'));
  else if (typeof answer === 'string') addBulk(parts, Buffer.from(answer));
  else if (Buffer.isBuffer(answer)) addBulk(parts, answer);
  else if (typeof answer === 'number' || typeof answer === 'bigint') addNumber(parts, answer, resp);
  else if (typeof answer === 'boolean')
    parts.push(Buffer.from(resp === 3 ? `#${answer ? 't' : 'f'}\r\n` : `:${answer ? 1 : 0}\r\n`));
  else if (answer instanceof Status) parts.push(Buffer.from(`+${oneLine(answer.text)}\r\n`));
  else if (answer instanceof Double) addDouble(parts, answer.text, resp);
  else if (answer instanceof ReplyError) parts.push(Buffer.from(`-${oneLine(answer.message)}\r\n`));
  else if (answer instanceof Verbatim) addVerbatim(parts, answer.text, resp);
  else if (answer instanceof Push) addAll(parts, resp === 3 ? '>' : '*', answer.items.length, answer.items, resp);
  else if (answer instanceof Set) addAll(parts, resp === 3 ? '~' : '*', answer.size, answer, resp);
  else if (answer instanceof Map) {
    parts.push(Buffer.from(resp === 3 ? `%${answer.size}\r\n` : `*${answer.size * 2}\r\n`));
    for (const [key, value] of answer as Map<Answer, Answer>) {
      add(parts, key, resp);
      add(parts, value, resp);
    }
  } else addAll(parts, '*', answer.length, answer as Answer[], resp);
}

function addAll(parts: Buffer[], type: string, count: number, items: Iterable<Answer>, resp: 2 | 3): void {
  parts.push(Buffer.from(`${type}${count}\r\n`));
  for (const item of items) add(parts, item, resp);
}

function addBulk(parts: Buffer[], bytes: Buffer): void {
  parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, CRLF);
}

function addVerbatim(parts: Buffer[], text: string, resp: 2 | 3): void {
  const bytes = Buffer.from(text);
  if (resp === 2) return addBulk(parts, bytes);
  parts.push(Buffer.from(`=${bytes.length + 4}\r\ntxt:`), bytes, CRLF);
}

function addNumber(parts: Buffer[], value: number | bigint, resp: 2 | 3): void {
  if (typeof value === 'bigint' || Number.isInteger(value)) parts.push(Buffer.from(`:${value}\r\n`));
  else addDouble(parts, String(value), resp);
}

function addDouble(parts: Buffer[], text: string, resp: 2 | 3): void {
  if (resp === 3) parts.push(Buffer.from(`,${text}\r\n`));
  else addBulk(parts, Buffer.from(text));
}
