import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import {
  endlessMake,
  fakeClient,
  fakeServer,
  hangingMake,
  startToolWorld,
  type ToolWorld,
  workingMake,
  writeScript,
} from '../../test/support/stand-in-tools.ts';
import { type ErrorCode, ValkeeperError } from '../domain/errors.ts';
import { startTimeOf } from '../platform/process-identity.ts';
import { buildEngine } from './build.ts';
import { cachedEngineDir } from './cache.ts';
import { compileProgress } from './compile.ts';
import { mirrorIn } from './debian-source.ts';
import type { BuildProgress } from './progress.ts';

let world: ToolWorld;
let progress: BuildProgress[];

beforeEach(async () => {
  world = await startToolWorld();
  progress = [];
});
afterEach(() => world.close());

const build = (archive = world.archive) =>
  buildEngine({ cacheDir: world.cacheDir, env: world.env, archive, onProgress: (one) => progress.push(one) });
const installed = () => cachedEngineDir(world.cacheDir, '9.1.2');
const leftOvers = () => readdirSync(world.cacheDir).filter((name) => name.startsWith('.build-'));
const makeRuns = () => readFileSync(join(world.toolsDir, 'runs'), 'utf8').trim().split('\n').length;

/** Expects a refusal that names the given things and leaves neither an engine nor a half-made folder. */
async function failsWith(outcome: Promise<unknown>, code: ErrorCode, ...named: string[]): Promise<void> {
  await assert.rejects(outcome, (error) => {
    assert.ok(error instanceof ValkeeperError, String(error));
    assert.equal(error.code, code);
    for (const text of named) assert.ok(`${error.message} ${error.hint}`.includes(text), `${text}: ${error.message}`);
    return true;
  });
  assert.deepEqual(leftOvers(), []);
  assert.equal(existsSync(installed()), false);
}

describe('a build', () => {
  it('ends with the two programs in place, and is done once', async () => {
    const engine = await build();
    assert.deepEqual(engine, {
      serverPath: join(installed(), 'valkey-server'),
      cliPath: join(installed(), 'valkey-cli'),
      version: '9.1.2',
      origin: 'built',
      licence: 'BSD-3-Clause',
    });
    assert.deepEqual(readdirSync(installed()).sort(), ['valkey-cli', 'valkey-server']);
    assert.deepEqual(leftOvers(), []);
    assert.equal((await build()).origin, 'cache');
    assert.equal(makeRuns(), 1);
    assert.equal(world.requests(), 1);
  });

  it('tells its phases in order', async () => {
    await build();
    const phases = [...new Set(progress.map((one) => one.phase))];
    assert.deepEqual(phases, ['tools', 'fetch', 'unpack', 'compile', 'check', 'install']);
  });

  it('replaces a cached engine that no longer runs', async () => {
    mkdirSync(installed(), { recursive: true });
    writeScript(join(installed(), 'valkey-server'), '#!/bin/sh\nexit 127\n');
    assert.equal((await build()).origin, 'built');
  });

  it('refuses an archive with another checksum, naming both', async () => {
    const expected = '0'.repeat(64);
    await failsWith(build({ ...world.archive, sha256: expected }), 'engine_checksum', expected, world.archive.sha256);
  });

  it('names what was tried when no source can be had', async () => {
    const nobody = { ...world.archive, url: 'http://127.0.0.1:1/9.1.2.tar.gz' };
    await failsWith(build(nobody), 'engine_source_unavailable', 'no apt-get', nobody.url);
  });

  it('names the packages of missing tools', async () => {
    world.removeTool('make');
    world.removeTool('pkg-config');
    await failsWith(
      build(),
      'engine_tools_missing',
      'make, pkg-config',
      'apt-get install build-essential pkg-config (',
    );
    assert.equal(world.requests(), 0, 'nothing is downloaded in vain');
  });

  it('as root on a Debian-like system installs missing tools itself', async () => {
    world.removeTool('make');
    world.setTool('later-make', workingMake(fakeServer('9.1.2'), fakeClient('1')));
    const installs = `echo "Setting up make (4.3) ..."; cat ${world.toolsDir}/later-make > ${world.toolsDir}/make; chmod 755 ${world.toolsDir}/make`;
    world.setTool('apt-get', `#!/bin/sh\ncase "$*" in "install --yes"*build-essential) ${installs} ;; esac\n`);
    if (process.getuid?.() !== 0)
      return failsWith(build(), 'engine_tools_missing', 'apt-get install build-essential (');
    assert.equal((await build()).origin, 'built');
    assert.ok(progress.some((one) => one.phase === 'tools' && one.detail === 'installing make'));
  });

  it('names the missing headers of OpenSSL', async () => {
    world.setTool('gcc', '#!/bin/sh\ncase "$(cat "$2")" in *openssl*) exit 1 ;; esac\n');
    await failsWith(build(), 'engine_tools_missing', 'OpenSSL', 'apt-get install libssl-dev (');
  });

  it('that fails names its log, which holds what make said', async () => {
    world.setTool('make', '#!/bin/sh\necho "server.c:1: error: no luck today" >&2\nexit 2\n');
    const log = join(world.cacheDir, 'build.log');
    await failsWith(build(), 'engine_build_failed', 'no luck today', log);
    assert.match(readFileSync(log, 'utf8'), /no luck today/);
  });

  it('does not install a server that cannot run scripts', async () => {
    world.setTool('make', workingMake(fakeServer('9.1.2'), fakeClient('ERR unknown command EVAL')));
    await failsWith(build(), 'engine_build_failed', 'EVAL answers ERR unknown command');
  });

  it('does not install a server that does not start', async () => {
    const noTls = '#!/bin/sh\necho "Bad directive: tls-port" >&2\nexit 1\n';
    world.setTool('make', workingMake(noTls, fakeClient('1')));
    await failsWith(build(), 'engine_build_failed', 'Bad directive: tls-port');
  });

  it('says which folder cannot be used', async () => {
    const file = join(world.toolsDir, 'a-file');
    writeFileSync(file, '');
    const options = { cacheDir: join(file, 'cache'), env: world.env, archive: world.archive, onProgress: () => {} };
    await assert.rejects(
      buildEngine(options),
      (error) =>
        error instanceof ValkeeperError && error.code === 'engine_cache_unusable' && error.message.includes(file),
    );
  });
});

describe('an interrupted build', () => {
  it('by SIGINT stops make and its children, leaves nothing, and the next one works', async () => {
    const { child, makePid } = await buildInChild(hangingMake);
    const compilerPid = Number(readFileSync(join(world.toolsDir, 'compiler.pid'), 'utf8'));
    assert.equal(isRunning(compilerPid), true);
    child.kill('SIGINT');
    assert.match(await said(child), /engine_build_interrupted/);
    assert.equal(isRunning(makePid), false);
    await until(() => !isRunning(compilerPid));
    assert.deepEqual(leftOvers(), []);
    await nextBuildWorks();
  });

  it('by kill -9 takes make with it, and the next build clears up', async () => {
    const { child, makePid } = await buildInChild(endlessMake);
    child.kill('SIGKILL');
    await once(child, 'exit');
    assert.equal(leftOvers().length, 1);
    await until(() => !isRunning(makePid));
    await nextBuildWorks();
  });
});

it('two builds at once: the second says that it waits, and uses what the first built', async () => {
  const gate = join(world.toolsDir, 'go');
  const slow = workingMake(fakeServer('9.1.2'), fakeClient('1')).replace(
    '\n',
    `\necho $$ > ${world.toolsDir}/make.pid; while [ ! -e ${gate} ]; do sleep 0.02; done\n`,
  );
  const { child } = await buildInChild(slow);
  const second = build();
  await until(() => progress.some((one) => one.phase === 'wait'));
  writeFileSync(gate, '');
  assert.match(await said(child), /built/);
  assert.equal((await second).origin, 'cache');
  assert.equal(makeRuns(), 1);
});

describe('progress of make', () => {
  it('grows with the files compiled, whatever way the lines are cut, and stays below 1', () => {
    const seen: (number | undefined)[] = [];
    const report = compileProgress(4, 'make', (one) => seen.push(one.fraction));
    report('    \x1b[34mCC\x1b[0m \x1b[33mac');
    report('l.o\x1b[0m\ngcc -std=gnu11 -O3 -c -o src/jemalloc.o src/jemalloc.c\nmake[1]: Leaving directory\n');
    report('    CC a.o\n    CC b.o\n    CC c.o\n');
    assert.deepEqual(seen, [0, 0.5, 0.99]);
  });
});

describe("apt's mirror", () => {
  it('is the first archive configured that is not for security updates', () => {
    const printed = `'https://mirror.example/debian-security/dists/stable-security/InRelease' a 0
'https://mirror.example/debian/dists/stable/InRelease' b 0
'https://other.example/debian/dists/stable/InRelease' c 0
`;
    assert.equal(mirrorIn(printed), 'https://mirror.example/debian');
    assert.equal(mirrorIn(''), null);
  });
});

/** Starts a build in a process of its own with this `make`; resolves when that `make` runs. */
async function buildInChild(make: string): Promise<{ child: ChildProcess; makePid: number }> {
  world.setTool('make', make);
  const script = `
    import { buildEngine } from ${JSON.stringify(new URL('build.ts', import.meta.url).href)};
    const options = ${JSON.stringify({ cacheDir: world.cacheDir, env: world.env, archive: world.archive })};
    buildEngine({ ...options, onProgress: () => {} }).then((e) => console.log(e.origin), (e) => console.log(e.code));`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const pidFile = join(world.toolsDir, 'make.pid');
  await until(() => existsSync(pidFile) && readFileSync(pidFile, 'utf8') !== '');
  return { child, makePid: Number(readFileSync(pidFile, 'utf8')) };
}

async function nextBuildWorks(): Promise<void> {
  world.setTool('make', workingMake(fakeServer('9.1.2'), fakeClient('1')));
  assert.equal((await build()).origin, 'built');
  assert.deepEqual(leftOvers(), []);
}

/** Everything the child writes until it ends. */
async function said(child: ChildProcess): Promise<string> {
  let text = '';
  child.stdout!.on('data', (chunk) => {
    text += chunk;
  });
  await once(child, 'close');
  return text;
}

const isRunning = (pid: number): boolean => startTimeOf(pid) !== null;

async function until(condition: () => boolean, deadlineMs = 10_000): Promise<void> {
  const giveUpAt = Date.now() + deadlineMs;
  while (!condition()) {
    assert.ok(Date.now() < giveUpAt, 'the awaited condition never came');
    await delay(10);
  }
}
