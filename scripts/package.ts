/** Writes dist/package.json: what users of the published package need, and nothing that only development needs. */
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');

const { name, version, description, license, type, engines, bin, dependencies } = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8'),
);
const inDist = Object.fromEntries(Object.entries<string>(bin).map(([key, path]) => [key, path.replace(/^dist\//, '')]));
const published = { name, version, description, license, type, engines, bin: inDist, dependencies };
writeFileSync(join(dist, 'package.json'), `${JSON.stringify(published, null, 2)}\n`);

for (const file of ['README.md', 'LICENSE']) {
  if (existsSync(join(root, file))) copyFileSync(join(root, file), join(dist, file));
}
