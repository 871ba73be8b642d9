/** Writes docs/errors.md from the error catalogue. With --check: writes nothing and fails when the file is stale. */
import { readFileSync, writeFileSync } from 'node:fs';
import { renderErrors } from './render-errors.ts';

const path = new URL('../docs/errors.md', import.meta.url);
const wanted = renderErrors();

if (!process.argv.includes('--check')) {
  writeFileSync(path, wanted);
} else if (readFileSync(path, 'utf8') !== wanted) {
  console.error('docs/errors.md is stale: run `npm run docs`.');
  process.exitCode = 1;
}
