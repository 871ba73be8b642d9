/** Makes sure that the engine is there and prints its path; progress goes to stderr, a line a phase and tenth. */
import { toErrorDocument } from '../src/domain/errors.ts';
import { ensureEngine } from '../src/engine/ensure.ts';
import type { BuildProgress } from '../src/engine/progress.ts';

let shown = '';

function show({ phase, detail, fraction }: BuildProgress): void {
  const line = fraction === undefined ? detail : `${detail} ${Math.floor(fraction * 10) * 10} %`;
  if (line === shown) return;
  shown = line;
  console.error(`engine: ${phase}: ${line}`);
}

try {
  const engine = await ensureEngine({ env: process.env, onProgress: show });
  console.log(engine.serverPath);
} catch (error) {
  const { message, hint } = toErrorDocument(error);
  console.error(`engine: ${message}\n${hint}`);
  process.exitCode = 1;
}
