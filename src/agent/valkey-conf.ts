/** The text of valkey.conf. Every argument is quoted on its own, so that no value can become a directive. */

export type Directive = readonly [name: string, ...args: string[]];

/** Lines for the directives, in order. @throws RangeError for a name or value that valkey.conf cannot carry */
export const formatConf = (directives: readonly Directive[]): string =>
  `${directives.map(([name, ...args]) => [checkedName(name), ...args.map(quoted)].join(' ')).join('\n')}\n`;

function checkedName(name: string): string {
  if (!/^[a-z][a-z0-9-]*$/.test(name)) throw new RangeError(`not a directive: ${JSON.stringify(name)}`);
  return name;
}

/** In double quotes, as `sdssplitargs` of Valkey reads them. */
function quoted(value: string): string {
  if (/[\n\r\0]/.test(value)) throw new RangeError(`a value must be one line: ${JSON.stringify(value)}`);
  return `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

/** What `formatConf` wrote: arguments by directive, joined by spaces; of two lines of one name the last, as in the engine. */
export function parseConf(text: string): Map<string, string> {
  const lines = text.split('\n').filter((line) => line !== '');
  return new Map(lines.map((line) => [line.split(' ', 1)[0]!, argumentsOf(line).join(' ')]));
}

const argumentsOf = (line: string): string[] =>
  [...line.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, inner]) => inner!.replace(/\\(.)/g, '$1'));
