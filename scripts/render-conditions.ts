/** The catalogues of conditions and events as a page for people. */
import { EVENT_KINDS } from '../src/domain/event.ts';
import { PROBLEMS, type ProblemCode, patienceMsOf } from '../src/plan/problems.ts';

/** Text of docs/conditions.md. */
export function renderConditions(): string {
  const conditions = (Object.keys(PROBLEMS) as ProblemCode[]).map(condition);
  const events = Object.entries(EVENT_KINDS).map(([kind, meaning]) => `| \`${kind}\` | ${meaning} |`);
  return [
    '# Conditions and events',
    'A **condition** is something that holds now: a problem of a database, with its severity, its message, what is done\n' +
      'about it, since when, and, if so, why the latest attempt to mend it failed. `valkeeper db show NAME` lists them, most\n' +
      'urgent first. An **event** is something that happened: `valkeeper events` tells them. Codes and kinds are stable.\n' +
      '`{names}` stand for what the case at hand fills in.\n\n' +
      'This page is generated from `src/plan/problems.ts` and `src/domain/event.ts` by `npm run docs`.',
    '## Conditions',
    ...conditions,
    '## Events',
    ['| Kind | Meaning |', '|---|---|', ...events].join('\n'),
  ]
    .join('\n\n')
    .concat('\n');
}

function condition(code: ProblemCode): string {
  const { severity, message, advice } = PROBLEMS[code];
  const patience = patienceMsOf(code);
  const note = patience > 0 ? `, told after ${patience / 1000} s` : '';
  return `### ${code} (${severity}${note})\n\n${message}\\\n${advice}`;
}
