/** Figures and tables for people. */
import { stripVTControlCharacters } from 'node:util';

/** `12,345` */
export const count = (value: number): string => Math.round(value).toLocaleString('en-US');

/** `12 ms`, `3.4 s` */
export const duration = (ms: number): string =>
  Math.round(ms) < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;

/** Milliseconds for programs, to the tenth: more is noise. */
export const tenths = (ms: number): number => Math.round(ms * 10) / 10;

/** `25.1 %` */
export const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

/** `0 errors`, `1 error` */
export const plural = (value: number, thing: string): string => `${count(value)} ${thing}${value === 1 ? '' : 's'}`;

/** Rows as lines, columns padded to their widest cell; those named in `right` are set to the right. */
export function columns(rows: readonly (readonly string[])[], right: readonly number[] = []): string[] {
  const length = (cell: string): number => stripVTControlCharacters(cell).length;
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((cells) => length(cells[column] ?? ''))));
  const pad = (cell: string, column: number): string => {
    const gap = ' '.repeat((widths[column] ?? 0) - length(cell));
    return right.includes(column) ? gap + cell : cell + gap;
  };
  return rows.map((cells) => cells.map(pad).join('  ').trimEnd());
}

/** The text in lines of at most `width` characters, broken between words, each after the indent. */
export function wrap(text: string, width: number, indent = ''): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    if (line && indent.length + line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line ? `${line} ${word}` : word;
  }
  return [...lines, line].map((one) => indent + one).join('\n');
}
