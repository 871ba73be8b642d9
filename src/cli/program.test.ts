import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { tempDir } from '../../test/support/temp-dir.ts';
import { ValkeeperError } from '../domain/errors.ts';
import type { Host } from './cli.ts';
import { runCli } from './program.ts';

/** Runs a command line in a place where nothing runs; the process commands record what they were given. */
async function run(...args: string[]) {
  const output = { stdout: '', stderr: '' };
  const collect = (name: 'stdout' | 'stderr'): NodeJS.WriteStream =>
    new PassThrough().on('data', (chunk: Buffer) => {
      output[name] += chunk.toString();
    }) as unknown as NodeJS.WriteStream;
  const calls: unknown[] = [];
  const record =
    (name: string) =>
    async ({ dataDir, json }: { dataDir: string; json: boolean }, options: object): Promise<void> => {
      calls.push({ name, dataDir, json, ...options });
    };
  const host: Host = {
    stdin: new PassThrough() as unknown as NodeJS.ReadStream,
    stdout: collect('stdout'),
    stderr: collect('stderr'),
    version: '1.2.3',
    program: ['/opt/node', '/opt/valkeeper.js'],
    defaultDataDir: '/default',
    endpoint: (dir) => {
      throw new ValkeeperError('not_running', { dir });
    },
    remote: null,
    remoteEndpoint: () => {
      throw new Error('a defect');
    },
    engine: () => Promise.reject(new Error('a defect')),
    doctor: () => Promise.resolve([]),
    processes: {
      up: record('up'),
      down: record('down'),
      demo: record('demo'),
      server: record('server'),
      agent: record('agent'),
    },
  };
  const code = await runCli(args, host);
  return { code, calls, ...output };
}

const mistakes: [words: string, code: string, says: RegExp, hint: RegExp][] = [
  ['dbb list', 'usage', /unknown command 'dbb'/, /Did you mean db\?/],
  ['db lst', 'usage', /unknown command 'lst'/, /Did you mean list\? See `valkeeper db --help`/],
  ['db', 'usage', /^valkeeper db needs a command$/, /`valkeeper db --help`/],
  ['db create', 'usage', /missing required argument 'name'/, /`valkeeper db create --help`/],
  ['db create a b', 'usage', /too many arguments/, /valkeeper db create --help/],
  ['db create a --shard 3', 'usage', /unknown option '--shard'/, /Did you mean --shards\?/],
  ['db create a --shards', 'usage', /option '--shards <n>' argument missing/, /--help/],
  ['db create a --shards 0', 'invalid_value', /^--shards: must be 1 to 500, is 0$/, /--shards 1/],
  ['db create a --shards 17000', 'invalid_value', /^--shards: must be 1 to 500, is 17000$/, /--shards 1/],
  ['db create a --shards 3x', 'invalid_value', /is 3x$/, /whole number/],
  ['db create a --shards 1e2', 'invalid_value', /is 1e2$/, /whole number/],
  ['db create a --replicas -1', 'invalid_value', /^--replicas: must be 0 to 5, is -1$/, /whole number/],
  ['db create a --memory lots', 'invalid_value', /^--memory: must be a size, is lots$/, /--memory 512mb/],
  ['db create a --persistence disk', 'invalid_value', /^--persistence: must be one of none, snapshot/, /--persistence/],
  ['db plan a --eviction x', 'invalid_value', /^--eviction: must be one of noeviction/, /--eviction/],
  ['machine token create --ttl 1', 'invalid_value', /^--ttl: must be a time, is 1$/, /from 1s to 604800s/],
  ['machine token create --ttl 8d', 'invalid_value', /^--ttl: must be a time, is 8d$/, /--ttl 1h/],
  ['machine token create --label rack', 'invalid_value', /^--label: must be LABEL=VALUE, is rack$/, /rack=7/],
  ['agent --ports 7999-7000', 'invalid_value', /^--ports: must be two ports from 1024 to 55535/, /7000-7999/],
  ['agent --ports 7000-60000', 'invalid_value', /^--ports: must be two ports/, /7000-7999/],
  [
    'agent --join https://10.0.0.1:7440,x',
    'invalid_value',
    /^--join: must be https:\/\/HOST:PORT, is x$/,
    /10\.0\.0\.1:7440/,
  ],
  ['up --server https://10.0.0.1:7440', 'usage', /processes of this machine/, /Leave it out/],
  ['events --limit 0', 'invalid_value', /^--limit: must be 1 to 1000, is 0$/, /--limit 1/],
];

for (const [words, code, says, hint] of mistakes) {
  test(`refuses: ${words}`, async () => {
    const plain = await run(...words.split(' '));
    assert.equal(plain.code, 2);
    assert.equal(plain.stdout, '');
    const { code: exit, stdout, stderr } = await run(...words.split(' '), '--json');
    const { error } = JSON.parse(stdout) as { error: Record<string, string> };
    assert.equal(exit, 2);
    assert.equal(stderr, '');
    assert.deepEqual([error['code'], error['kind']], [code, 'invalid']);
    assert.match(error['message']!, says);
    assert.match(error['hint']!, hint);
    assert.deepEqual(plain.calls, []);
  });
}

test('an unexpected failure is shown as a defect, with its stack on stderr', async () => {
  const { code, stdout, stderr } = await run('engine', '--json');
  assert.equal(code, 70);
  assert.equal(JSON.parse(stdout).error.code, 'internal');
  assert.match(stderr, /program\.test\.ts/);
});

test('says where nothing runs', async () => {
  const { code, stderr } = await run('db', 'list', '--data-dir', '/elsewhere');
  assert.equal(code, 6);
  assert.match(stderr, /^Error: Valkeeper is not running in \/elsewhere\.\nStart it with `\.\/valkeeper up`/);
});

for (const args of [
  ['--data-dir', '/x', '--json', 'down', '--yes'],
  ['down', '--data-dir=/x', '--yes', '--json'],
  ['--json', 'down', '--yes', '--data-dir', '/x'],
]) {
  test(`global options stand anywhere: ${args.join(' ')}`, async () => {
    assert.deepEqual((await run(...args)).calls, [{ name: 'down', dataDir: '/x', json: true, yes: true }]);
  });
}

test('passes options on, with defaults', async () => {
  const { calls } = await run('up', '--machines', '5', '--no-auth');
  assert.deepEqual(calls, [
    { name: 'up', dataDir: '/default', json: false, machines: 5, auth: false, timeoutMs: 120_000 },
  ]);
});

test('help shows options, global options and an example', async () => {
  const { code, stdout, stderr } = await run('db', 'create', '--help');
  assert.equal(code, 0);
  assert.equal(stderr, '');
  for (const words of [/--memory <size>/, /--data-dir <dir>/, /--json/, /Example:\n {2}valkeeper db create/]) {
    assert.match(stdout, words);
  }
});

test('help and version are documents too', async () => {
  assert.match(JSON.parse((await run('--help', '--json')).stdout).text, /^Usage: valkeeper/);
  assert.deepEqual(JSON.parse((await run('--version', '--json')).stdout), { text: '1.2.3' });
  assert.equal((await run('--version')).stdout, '1.2.3\n');
});

for (const [name, ...needed] of [['server'], ['agent', '--machine', 'machine-1']] as const) {
  test(`the example for the ${name} names every option, and with it the defaults stay`, async (t) => {
    const { code, stdout } = await run('config', 'example', name);
    assert.equal(code, 0);
    const { stdout: help } = await run(name, '--help');
    const options = [...help.split('Global')[0]!.matchAll(/^ {2}--([\w-]+)/gm)].map(([, option]) => option!);
    assert.ok(options.includes('config'), help);
    for (const option of options.filter((one) => one !== 'config' && one !== 'help')) {
      assert.match(stdout, new RegExp(`^#${option.replace(/^no-/, '')}: `, 'm'));
    }
    const file = join(tempDir(t), 'example.yaml');
    writeFileSync(file, stdout);
    const [plain] = (await run(name, ...needed)).calls;
    assert.deepEqual((await run(name, ...needed, '--config', file)).calls, [{ ...(plain as object), config: file }]);

    writeFileSync(file, `${stdout}data-dir: /from/file\n`);
    const [{ dataDir }] = (await run(name, ...needed, '--config', file)).calls as [{ dataDir: string }];
    assert.equal(dataDir, '/from/file');
    writeFileSync(file, `${stdout}data-dri: /from/file\n`);
    const refused = await run(name, ...needed, '--config', file);
    assert.deepEqual([refused.code, refused.calls], [2, []]);
    assert.match(refused.stderr, /example\.yaml:\d+:1: data-dri: unknown key; did you mean data-dir\?/);
  });
}
