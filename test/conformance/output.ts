/** What the engine's test suite prints, read back: an entry begins with `[status]: ` and may run over many lines. */

/** How one test ended; `outside` is an error between tests, which takes the rest of its block with it. */
export interface Outcome {
  status: 'ok' | 'failed' | 'skipped' | 'outside';
  /** Of the test; '' for `outside`. */
  name: string;
  /** The suite's own words; '' for `ok`. */
  detail: string;
}

export interface SuiteOutput {
  outcomes: Outcome[];
  /** The suite said that it went through the unit to its end. */
  whole: boolean;
  /** What ended the unit early, in the suite's words: an exception, or the test that made no progress. */
  stopped: string | null;
}

const ENTRY = /^\[(\w+|\d+\/\d+ done)\]: /gm;
const END = /^ +The End$/m;

/** Reads the output of a run of this one unit (such as `unit/type/string`). */
export function readOutput(text: string, unit: string): SuiteOutput {
  const end = END.exec(text)?.index ?? text.length;
  const body = text.slice(0, end);
  const starts = [...body.matchAll(ENTRY)];
  const read: SuiteOutput = { outcomes: [], whole: false, stopped: null };
  for (const [place, start] of starts.entries()) {
    const from = start.index + start[0].length;
    const content = body.slice(from, starts[place + 1]?.index).trimEnd();
    take(read, start[1]!, content, unit);
  }
  return read;
}

function take(read: SuiteOutput, status: string, content: string, unit: string): void {
  switch (status) {
    case 'ok':
      read.outcomes.push({ status: 'ok', name: content.replace(/ \(\d+ ms\)$/, ''), detail: '' });
      return;
    case 'err':
      read.outcomes.push(failure(content, unit));
      return;
    case 'skip':
      read.outcomes.push({ ...named(content, unit), status: 'skipped' });
      return;
    case 'exception':
      read.stopped = content;
      return;
    case 'TIMEOUT': {
      const name = /\(IN PROGRESS\) (.*)/.exec(content)?.[1];
      read.stopped = name === undefined ? `no progress: ${content}` : `no progress in: ${name}`;
      return;
    }
    default:
      if (status.endsWith(' done')) read.whole = true;
  }
}

/** A failed test is told as `NAME in tests/UNIT.tcl` and below it the reason; what fails between tests has no name. */
function failure(content: string, unit: string): Outcome {
  const { name, detail } = named(content, unit);
  return name === '' ? { status: 'outside', name, detail } : { status: 'failed', name, detail };
}

function named(content: string, unit: string): { name: string; detail: string } {
  const mark = ` in tests/${unit}.tcl`;
  const at = content.indexOf(mark);
  if (at < 0) return content.includes('\n') ? { name: '', detail: content } : { name: content, detail: '' };
  return { name: content.slice(0, at), detail: content.slice(at + mark.length).replace(/^[:\s]+/, '') };
}
