/** The README's examples, run as they stand there. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { type Fleet, withFleet } from '../support/fleet.ts';

const ROOT = join(import.meta.dirname, '..', '..');

const README = readFileSync(join(ROOT, 'README.md'), 'utf8');

/** The blocks that are marked `<!-- example: name -->`, in order. */
const examplesIn = (language: 'sh' | 'js'): Map<string, string> =>
  new Map(
    [...README.matchAll(new RegExp(`<!-- example: (\\S+) -->\n\`\`\`${language}\n([\\s\\S]*?)\`\`\``, 'g'))].map(
      ([, name, script]) => [name!, script!] as const,
    ),
  );

const examples = examplesIn('sh');

function run(fleet: Fleet, name: string): Promise<string> {
  const script = examples.get(name);
  assert.ok(script, `the README has no example ${name}`);
  return new Promise((resolve, reject) => {
    execFile('bash', ['-euo', 'pipefail', '-c', script], { cwd: ROOT, env: fleet.env() }, (error, stdout, stderr) =>
      error ? reject(new Error(`example ${name}: ${error.message}\n${stdout}\n${stderr}`)) : resolve(stdout),
    );
  });
}

/** The app of the README, as it stands there. */
async function runApp(fleet: Fleet): Promise<string> {
  const { url } = (await fleet.cli('db', 'url', 'main', '--json')).json<{ url: string }>();
  const args = ['--input-type=module', '--eval', examplesIn('js').get('app')!];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, { cwd: ROOT, env: { ...fleet.env(), REDIS_URL: url } }, (error, stdout, stderr) =>
      error ? reject(new Error(`the app: ${error.message}\n${stderr}`)) : resolve(stdout),
    );
  });
}

it('does what the README says', async () => {
  assert.deepEqual([...examples.keys()], ['start', 'use', 'kill', 'change', 'more']);
  await withFleet({}, async (fleet) => {
    const used = await run(fleet, 'use');
    assert.match(used, /OK\nhello\n/);
    assert.match(used, /redis:\/\/default:\S+@127\.\S+:\d+\/0\n/);
    assert.match(used, /main: ready/);
    assert.equal(await runApp(fleet), "[ 'red', 'yellow' ]\n");
    assert.match(await run(fleet, 'kill'), /[0-9a-f]{8} on machine-\d took the place of [0-9a-f]{8}/);
    const changed = await run(fleet, 'change');
    assert.match(changed, /main changes: memory 256mb -> 512mb, persistence aof -> snapshot/);
    assert.match(changed, /orders was created; it is ready\./);
    assert.match(changed, /orders is as it was asked for before; it is ready\./);
    const more = await run(fleet, 'more');
    assert.match(more, /1\. Create .*\(shard-1/);
    assert.match(more, /cache +ready +2 +1 +128mb +none/);
  });
});
