/**
 * Valkey's own test suite, compared with the tests that pass on one node of the engine itself.
 *
 * npm run conformance                         through the endpoint of a three-shard database, made for this run
 * npm run conformance -- --host H --port P    at an address
 * npm run conformance -- --direct             on one node of the engine; with --write-baseline makes the baseline anew
 *   --unit U     only this unit; can be repeated       --again   runs units again without what failed (not counted)
 *   --json       everything as one document
 *
 * Fails when a test does not pass that is not listed in expected-failures.ts, or one passes that is.
 */
import { parseArgs } from 'node:util';
import { ensureEngine } from '../../src/engine/ensure.ts';
import type { BuildProgress } from '../../src/engine/progress.ts';
import { readBaseline, writeBaseline } from './baseline.ts';
import { conform } from './conform.ts';
import { isAsListed } from './expected.ts';
import { makeBaseline } from './make-baseline.ts';
import { progressOf, report } from './report.ts';
import { openSuite } from './run-unit.ts';
import { direct, existing, type Target, throughEndpoint } from './target.ts';

const { values: options } = parseArgs({
  options: {
    host: { type: 'string' },
    port: { type: 'string' },
    direct: { type: 'boolean', default: false },
    'write-baseline': { type: 'boolean', default: false },
    unit: { type: 'string', multiple: true },
    again: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});

/** Standard output holds the report alone. */
const say = (line: string): void => console.error(line);
const onProgress = ({ phase, detail }: BuildProgress): void => say(`${phase}: ${detail}`);

const interrupt = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interrupt.abort(new Error('interrupted')));

const engine = await ensureEngine({ env: process.env, onProgress });
await using target = await chosenTarget();
using suite = await openSuite(engine, onProgress);
if (options['write-baseline']) await renewBaseline();
else await compareWithBaseline();

async function chosenTarget(): Promise<Target> {
  if (options.direct || options['write-baseline']) return await direct(engine);
  if (options.host === undefined && options.port === undefined) return await throughEndpoint();
  const port = Number(options.port ?? 6379);
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new Error(`--port must be a port, not ${options.port}`);
  return existing({ host: options.host ?? '127.0.0.1', port });
}

async function renewBaseline(): Promise<void> {
  const onUnit = (unit: string, names: readonly string[]): void => say(`${unit}: ${names.length}`);
  const units = await makeBaseline(suite, target.address, interrupt.signal, onUnit);
  writeBaseline({ version: engine.version, units });
}

async function compareWithBaseline(): Promise<void> {
  const baseline = readBaseline();
  if (baseline.version !== engine.version) {
    throw new Error(
      `the baseline is of Valkey ${baseline.version}, the engine is ${engine.version}: make it anew with --write-baseline`,
    );
  }
  const run = await conform(suite, baseline, target.address, {
    units: options.unit ?? [...baseline.units.keys()],
    signal: interrupt.signal,
    again: options.again,
    onUnit: (result) => say(progressOf(result)),
  });
  console.log(options.json ? JSON.stringify(run, null, 2) : report(run));
  if (!isAsListed(run)) process.exitCode = 1;
}
