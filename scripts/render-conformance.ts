/** What the engine's own tests say of the endpoint, as a page for people. */
import { readBaseline } from '../test/conformance/baseline.ts';
import { EXPECTED_FAILURES, FAILING, LAST_RUN, LEFT_OUT } from '../test/conformance/expected-failures.ts';

/** Text of docs/conformance.md. */
export function renderConformance(): string {
  const { version, units } = readBaseline();
  const rows = [...units].map(([unit, names]) => {
    const listed = Object.keys(EXPECTED_FAILURES[unit] ?? {});
    const failing = (name: string): number => FAILING[name] ?? names.filter((one) => one === name).length;
    const passed = names.length - listed.reduce((sum, name) => sum + failing(name), 0);
    return { unit, expected: names.length, passed };
  });
  const sum = (of: 'expected' | 'passed'): number => rows.reduce((total, row) => total + row[of], 0);
  const [expected, passed] = [sum('expected'), sum('passed')];
  const percent = (Math.floor((10_000 * passed) / expected) / 100).toFixed(2);
  const result =
    LAST_RUN === null
      ? '**Not run through an endpoint yet.**'
      : `**${passed} of ${expected} pass: ${percent} %** (${LAST_RUN}).`;
  return [
    '# Conformance',
    `Valkey ${version} comes with its own tests. Run against one node of the engine itself, ${expected} of them pass: that is the\n` +
      'baseline, `test/conformance/baseline.txt`. The same tests are run, unchanged, through the endpoint of a database of\n' +
      'three shards, with no debug commands allowed.',
    `${result} This page is generated from the baseline and from the list of what does\n` +
      'not pass (`test/conformance/expected-failures.ts`) by `npm run docs`; a run that differs from the list in either\n' +
      'direction fails.',
    '## Running it',
    [
      '```sh',
      'npm run conformance                               # a fleet and a database for this run, and through its endpoint',
      'npm run conformance -- --unit unit/type/string    # one unit; can be repeated',
      'npm run conformance -- --host H --port P          # at an address',
      'npm run conformance -- --direct                   # one node of the engine: all must pass',
      'npm run conformance -- --again                    # units again without what failed: what did it hide?',
      'npm run conformance -- --json                     # everything, with every error in full',
      'npm run conformance -- --write-baseline           # for another version of the engine',
      '```',
    ].join('\n'),
    "The suite is fetched once with the engine's source and kept in the user's cache (`conformance/VERSION`). It needs Tcl,\n" +
      'which is installed where that is possible. The tests flush every database they meet: never name an address whose\n' +
      'data matters.',
    '## What counts',
    '- A test has passed when the suite said `[ok]` for it in the first run of its unit. One that failed, was skipped or did\n' +
      '  not run because its block or its unit was cut short has not passed.\n' +
      "- The suite's flags are those for a running server in cluster mode; it then leaves out by itself what needs files, processes\n" +
      '  or replicas of its own, or keys in different slots. Groups that need `DEBUG`, a replica or `RESET`, long ones and those\n' +
      '  that need much memory are left out too, in the baseline and in every other run.\n' +
      '- A name that a unit uses several times counts as often.\n' +
      '- Left out, and counted as not passed: what would leave a script running and so fail every test behind it\n' +
      `  (${Object.values(LEFT_OUT)
        .flat()
        .map((name) => `"${name}"`)
        .join(', ')}).`,
    '## Results',
    ['| unit | passed |', '|---|---|', ...rows.map(resultOf)].join('\n'),
    '## What does not pass',
    ...reasonLists(),
  ]
    .join('\n\n')
    .concat('\n');
}

const resultOf = ({ unit, passed, expected }: { unit: string; passed: number; expected: number }): string =>
  `| ${unit} | ${LAST_RUN === null ? '' : `${passed}/`}${expected} |`;

function reasonLists(): string[] {
  const lists = Object.entries(EXPECTED_FAILURES).map(([unit, reasons]) =>
    [`### ${unit}`, '', ...Object.entries(reasons).map(([name, reason]) => `- ${name}: ${reason}`)].join('\n'),
  );
  return lists.length > 0 ? lists : [LAST_RUN === null ? 'Not known yet.' : 'Everything passes.'];
}
