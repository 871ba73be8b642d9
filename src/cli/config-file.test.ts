import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Command, InvalidArgumentError, Option } from 'commander';
import { valkeeperError } from '../../test/support/errors.ts';
import { tempDir } from '../../test/support/temp-dir.ts';
import { prepareConfig, takesConfig } from './config.ts';
import { configExample } from './config-example.ts';
import { readConfig } from './config-file.ts';
import { choice, integer, user } from './options.ts';

/** A program with an option of each kind. */
function program(): { root: Command; command: Command; ran: () => Record<string, unknown> } {
  const root = new Command('valkeeper')
    .option('--data-dir <dir>', 'where')
    .option('--json', 'a document')
    .exitOverride();
  let options: Record<string, unknown> = {};
  const command = root
    .command('work')
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
    .requiredOption('--machine <name>', 'the machine')
    .option('--port <port>', 'a port', integer('--port', { min: 1, max: 65_535 }), 7_420)
    .option('--mode <mode>', 'a mode', choice('--mode', ['slow', 'fast']))
    .option('--foreground', 'stay')
    .option('--no-auth', 'without')
    .option('--colour [when]', 'a switch that may have a value')
    .option('--label <key=value...>', 'labels')
    .option('--user <name=rules>', 'users', user('--user'))
    .addOption(new Option('--zone <zone>', 'the zone').env('VALKEEPER_TEST_ZONE').default('local'))
    .option('--even <n>', 'even', (text) => {
      if (Number(text) % 2 !== 0) throw new InvalidArgumentError('must be even');
      return Number(text);
    })
    .action((_options, self: Command) => {
      options = self.optsWithGlobals();
    });
  takesConfig(command);
  return { root, command, ran: () => options };
}

/** What the command runs with, given a file and words. */
async function run(t: TestContext, text: string, ...words: string[]): Promise<Record<string, unknown>> {
  const file = join(tempDir(t), 'work.yaml');
  writeFileSync(file, text);
  const { root, ran } = program();
  const args = ['work', `--config=${file}`, ...words];
  await prepareConfig(args);
  await root.parseAsync(args, { from: 'user' });
  const { config, ...options } = ran();
  assert.equal(config, file);
  return options;
}

const DEFAULTS = { machine: 'm', port: 7_420, auth: true, zone: 'local' };

test('every kind of option is read as it is on the command line', async (t) => {
  const text = `
machine: machine-1     # an option that must be given
port: 8000
mode: fast
foreground: true
auth: false
colour: true
label: [rack=r1, disk=fast]
user:
  - app=+@all
  - other=+@read
zone: 3
even: 4
data-dir: /srv/x
`;
  assert.deepEqual(await run(t, text), {
    machine: 'machine-1',
    port: 8_000,
    mode: 'fast',
    foreground: true,
    auth: false,
    colour: true,
    label: ['rack=r1', 'disk=fast'],
    user: [
      { name: 'app', rules: '+@all' },
      { name: 'other', rules: '+@read' },
    ],
    zone: '3',
    even: 4,
    dataDir: '/srv/x',
  });
});

test('what is not said keeps its default', async (t) => {
  assert.deepEqual(await run(t, '# nothing\n', '--machine', 'm'), DEFAULTS);
  assert.deepEqual(await run(t, '', '--machine', 'm'), DEFAULTS);
});

test('words beat the environment, which beats the file, which beats defaults', async (t) => {
  const text = 'machine: f\nport: 1\nzone: f\nlabel: [f=1]\nauth: false\ndata-dir: /f\n';
  assert.deepEqual(await run(t, text), {
    machine: 'f',
    port: 1,
    zone: 'f',
    label: ['f=1'],
    auth: false,
    dataDir: '/f',
  });
  const words = ['--machine', 'w', '--port', '2', '--label', 'w=1', '--data-dir', '/w'];
  const said = { machine: 'w', port: 2, zone: 'f', label: ['w=1'], auth: false, dataDir: '/w' };
  assert.deepEqual(await run(t, text, ...words), said);
  process.env['VALKEEPER_TEST_ZONE'] = 'e';
  process.env['VALKEEPER_HOME'] = '/e';
  t.after(() => {
    delete process.env['VALKEEPER_TEST_ZONE'];
    delete process.env['VALKEEPER_HOME'];
  });
  assert.deepEqual(await run(t, text), { machine: 'f', port: 1, zone: 'e', label: ['f=1'], auth: false });
  assert.equal((await run(t, text, '--zone', 'w'))['zone'], 'w');
});

test('an option that must be given is missed when neither has it', async (t) => {
  await assert.rejects(run(t, 'port: 1\n'), /required option '--machine <name>' not specified/);
});

const mistakes: [text: string, says: RegExp][] = [
  ['port: 1\nprot: 2\n', /^x\.yaml:2:1: prot: unknown key; did you mean port\?$/m],
  ['config: other.yaml\n', /^x\.yaml:1:1: config: unknown key/m],
  ['json: true\n', /^x\.yaml:1:1: json: unknown key/m],
  ['no-auth: true\n', /no-auth: unknown key/],
  ['port: 0\n', /^x\.yaml:1:7: port: must be 1 to 65535, is 0$/m],
  ['port: eighty\n', /^x\.yaml:1:7: port: must be 1 to 65535, is eighty$/m],
  ['port: [1, 2]\n', /^x\.yaml:1:7: port: takes one value, is a list$/m],
  ['port: {a: 1}\n', /^x\.yaml:1:7: port: must be a value, is a list of fields$/m],
  ['port: true\n', /^x\.yaml:1:7: port: must be a value, is true$/m],
  ['port:\n', /^x\.yaml:1:\d: port: must be a value, is empty$/m],
  ['mode: quick\n', /^x\.yaml:1:7: mode: must be one of slow, fast, is quick$/m],
  ['even: 3\n', /^x\.yaml:1:7: even: must be even$/m],
  ['foreground: yes please\n', /^x\.yaml:1:13: foreground: must be true or false, is yes please$/m],
  ['auth: 1\n', /auth: must be true or false, is 1$/m],
  ['label: [a=1, [b]]\n', /label: must be a value, is a list$/m],
  ['user: [app]\n', /user: must be NAME=RULES, is app$/m],
  ['zone: [a]\n', /zone: takes one value, is a list$/m],
  ['zone: a\nzone: b\n', /^x\.yaml:2:1: Map keys must be unique/m],
  ['port: *gone\n', /x\.yaml:1:7: .*gone/],
  ['- port\n', /^x\.yaml:1:1: must be a list of options, such as/m],
  ['port: [\n', /^x\.yaml:2:1: /m],
  ['port: 1\n---\nport: 2\n', /^x\.yaml:2:1: .*multiple documents/m],
  [`port: ${'1'.repeat(256 * 1024)}`, /x\.yaml:1:1: larger than 256kb/],
];

for (const [text, says] of mistakes) {
  test(`refuses: ${text.slice(0, 40).trim().replaceAll('\n', ' / ')}`, () => {
    assert.throws(() => readConfig(text, 'x.yaml', program().command), valkeeperError('config_file_invalid', says));
  });
}

test('all mistakes are told at once, in the order of the file, with the known keys', () => {
  assert.throws(
    () => readConfig('even: 1\nfoo: 2\nport: 0\n', 'x.yaml', program().command),
    (error: Error & { hint: string }) => {
      assert.deepEqual(
        error.message
          .split('\n')
          .slice(1)
          .map((line) => line.split(' ').slice(0, 2).join(' ')),
        ['x.yaml:1:7: even:', 'x.yaml:2:1: foo:', 'x.yaml:3:7: port:'],
      );
      assert.match(
        error.hint,
        /Keys: machine, port, mode, foreground, auth, colour, label, user, zone, even, data-dir\./,
      );
      return true;
    },
  );
});

test('a value that is marked once is used again', async (t) => {
  assert.equal((await run(t, 'machine: &name m\nzone: *name\n'))['zone'], 'm');
});

test('a file that is not there', async () => {
  const { root } = program();
  await prepareConfig(['--config']);
  await assert.rejects(
    root.parseAsync(['work', '--config', '/nowhere.yaml'], { from: 'user' }),
    valkeeperError('file_unusable', /Cannot read \/nowhere\.yaml: there is no such file/),
  );
});

test('the example names every key, changes nothing, and shows the defaults', () => {
  const { command } = program();
  const text = configExample(command);
  assert.equal(readConfig(text, 'x.yaml', command).size, 0);
  const shown = [...text.matchAll(/^#([\w-]+):/gm)].map(([, key]) => key);
  assert.deepEqual(shown, [
    'machine',
    'port',
    'mode',
    'foreground',
    'auth',
    'colour',
    'label',
    'user',
    'zone',
    'even',
    'data-dir',
  ]);
  assert.match(text, /# the machine \(must be given\)\n#machine: <name>\n/);
  const defaults = ['port', 'foreground', 'auth', 'zone'].map(
    (key) => new RegExp(`^#(${key}: .*)$`, 'm').exec(text)?.[1],
  );
  const read = [...readConfig(defaults.join('\n'), 'x.yaml', command)].map(([{ key }, value]) => [key, value]);
  assert.deepEqual(read, [
    ['port', 7_420],
    ['foreground', false],
    ['auth', true],
    ['zone', 'local'],
  ]);
});
