/** `npm run fuzz -- --seed 1 --inputs 1000000`: hostile clients at an endpoint; tells its figures as JSON. */
import { parseArgs } from 'node:util';
import { runFuzz } from './run.ts';

const { values } = parseArgs({
  options: { seed: { type: 'string', default: '1' }, inputs: { type: 'string', default: '1000000' } },
});
const ends: (() => unknown)[] = [];
const PROGRESS_MS = 5_000;
let told = performance.now();
try {
  const report = await runFuzz(
    { after: (end) => ends.push(end) },
    {
      seed: Number(values.seed),
      inputs: Number(values.inputs),
      log: (line) => {
        if (performance.now() - told < PROGRESS_MS) return;
        told = performance.now();
        console.error(line);
      },
    },
  );
  console.log(JSON.stringify(report, null, 2));
  const { left, defects } = report;
  process.exitCode = defects === 0 && left.clients === 0 && left.underWayBytes === 0 && left.inFlight === 0 ? 0 : 1;
} finally {
  for (const end of ends.reverse()) await end();
}
