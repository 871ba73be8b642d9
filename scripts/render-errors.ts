/** The error catalogue as a page for people. */
import { ERROR_KINDS, ERRORS, type ErrorCode, httpStatusOf } from '../src/domain/errors.ts';

const byKind = (kind: string): ErrorCode[] =>
  (Object.keys(ERRORS) as ErrorCode[]).filter((code) => ERRORS[code].kind === kind).sort();

/** Text of docs/errors.md. */
export function renderErrors(): string {
  const kinds = Object.entries(ERROR_KINDS).map(
    ([kind, { http, exit, meaning }]) => `| [${kind}](#${kind}) | ${http} | ${exit} | ${meaning} |`,
  );
  const chapters = Object.keys(ERROR_KINDS).map((kind) => [`## ${kind}`, ...byKind(kind).map(section)].join('\n\n'));
  return [
    '# Errors',
    'Every error has a code, a kind, a message and a hint. The kind decides the exit code of the command line and the\n' +
      'HTTP status of the API. With `--json` an error is `{"error": {"code", "kind", "message", "hint"}}` on stdout; the API\n' +
      'sends the same fields as `application/problem+json`. Codes are stable. `{names}` stand for what the case at hand fills in.\n\n' +
      'This page is generated from `src/domain/errors.ts` by `npm run docs`.',
    ['| Kind | HTTP | Exit | Meaning |', '|---|---|---|---|', ...kinds].join('\n'),
    ...chapters,
  ]
    .join('\n\n')
    .concat('\n');
}

function section(code: ErrorCode): string {
  const { kind, message, hint } = ERRORS[code];
  const status = httpStatusOf({ code, kind });
  const note = status === ERROR_KINDS[kind].http ? '' : ` (HTTP ${status})`;
  return `### ${code}${note}\n\n${message}\\\n${hint}`;
}
