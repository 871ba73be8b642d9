/** Writes the pages that are generated from catalogues. With --check: writes nothing and fails when one is stale. */
import { readFileSync, writeFileSync } from 'node:fs';
import { PAGES } from './pages.ts';

for (const { name, path, render } of PAGES) {
  if (!process.argv.includes('--check')) {
    writeFileSync(path, render());
  } else if (readFileSync(path, 'utf8') !== render()) {
    console.error(`${name} is stale: run \`npm run docs\`.`);
    process.exitCode = 1;
  }
}
