/** Inline commands: words on a line, as one types them into telnet (sdssplitargs of Valkey). */

const QUOTE = 0x22;
const APOSTROPHE = 0x27;
const BACKSLASH = 0x5c;

const ESCAPES: Record<string, number> = { n: 0x0a, r: 0x0d, t: 0x09, b: 0x08, a: 0x07 };

/** Blanks between words. */
const isBlank = (byte: number): boolean => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d) || byte === 0;
/** What ends a word outside of quotes: vertical tabs and form feeds do not. */
const endsWord = (byte: number): boolean =>
  byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d || byte === 0;

/** The words of a line, quotes and escapes resolved; null when quotes are unbalanced. */
export function splitInline(line: Buffer): Buffer[] | null {
  const words: Buffer[] = [];
  let at = 0;
  for (;;) {
    while (at < line.length && isBlank(line[at]!)) at += 1;
    if (at >= line.length) return words;
    const word: number[] = [];
    const after = readWord(line, at, word);
    if (after < 0) return null;
    words.push(Buffer.from(word));
    at = after;
  }
}

/** Reads one word into `word`. @returns where it ends, or -1 */
function readWord(line: Buffer, start: number, word: number[]): number {
  let at = start;
  while (at < line.length && !endsWord(line[at]!)) {
    const byte = line[at]!;
    if (byte !== QUOTE && byte !== APOSTROPHE) {
      word.push(byte);
      at += 1;
      continue;
    }
    // Quotes may begin and end within a word: "a"b is ab.
    at = byte === QUOTE ? readQuoted(line, at + 1, word) : readApostrophes(line, at + 1, word);
    if (at < 0) return -1;
  }
  return at;
}

function readQuoted(line: Buffer, start: number, word: number[]): number {
  for (let at = start; at < line.length; at += 1) {
    const byte = line[at]!;
    if (byte === QUOTE) return at + 1;
    if (byte !== BACKSLASH || at + 1 >= line.length) {
      word.push(byte);
      continue;
    }
    const hex = /^x([0-9a-fA-F]{2})/.exec(line.toString('latin1', at + 1, at + 4));
    if (hex) {
      word.push(Number.parseInt(hex[1]!, 16));
      at += 3;
    } else {
      at += 1;
      word.push(ESCAPES[String.fromCharCode(line[at]!)] ?? line[at]!);
    }
  }
  return -1;
}

function readApostrophes(line: Buffer, start: number, word: number[]): number {
  for (let at = start; at < line.length; at += 1) {
    const byte = line[at]!;
    if (byte === APOSTROPHE) return at + 1;
    if (byte === BACKSLASH && line[at + 1] === APOSTROPHE) {
      word.push(APOSTROPHE);
      at += 1;
    } else word.push(byte);
  }
  return -1;
}
