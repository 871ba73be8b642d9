import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { fakeServer, writeScript } from '../../test/support/stand-in-tools.ts';
import { ValkeeperError } from '../domain/errors.ts';
import { cachedEngineDir, defaultCacheDir } from './cache.ts';
import { compareVersions, isAcceptedVersion, parseVersionOutput } from './engine.ts';
import { findEngine } from './find.ts';

describe('versions', () => {
  it('are read from what valkey-server says', () => {
    const said = 'Valkey server v=9.1.2 sha=00000000:1 malloc=jemalloc-5.3.0 bits=64 build=18d91e0f788998c7\n';
    assert.equal(parseVersionOutput(said), '9.1.2');
  });

  it('of other programs are not taken', () => {
    assert.equal(
      parseVersionOutput('Redis server v=9.1.2 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64 build=0\n'),
      null,
    );
    assert.equal(parseVersionOutput('valkey-server: command not found'), null);
    assert.equal(parseVersionOutput(''), null);
  });

  it('are accepted from 9.1 and below 10', () => {
    for (const good of ['9.1.0', '9.1.2', '9.2.0', '9.10.0']) assert.equal(isAcceptedVersion(good), true, good);
    for (const bad of ['9.0.9', '8.1.4', '7.2.0', '10.0.0', '255.255.255'])
      assert.equal(isAcceptedVersion(bad), false, bad);
  });

  it('are ordered by number', () => {
    assert.deepEqual(['9.1.10', '9.1.9', '9.10.0', '9.2.0'].sort(compareVersions), [
      '9.1.9',
      '9.1.10',
      '9.2.0',
      '9.10.0',
    ]);
  });
});

describe('finding the engine', () => {
  let root: string;
  let cacheDir: string;
  let onPath: string;

  /** Puts a stand-in server into a new folder and returns its path. */
  const place = (folder: string, version: string): string => {
    mkdirSync(folder, { recursive: true });
    writeScript(join(folder, 'valkey-server'), fakeServer(version));
    return join(folder, 'valkey-server');
  };
  const find = (options: { explicitPath?: string; named?: string } = {}) =>
    findEngine({
      cacheDir,
      env: {
        PATH: `${onPath}:/bin:/usr/bin`,
        ...(options.named === undefined ? {} : { VALKEEPER_ENGINE: options.named }),
      },
      ...(options.explicitPath === undefined ? {} : { explicitPath: options.explicitPath }),
    });

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'valkeeper-find-'));
    cacheDir = join(root, 'cache');
    onPath = join(root, 'on-path');
  });
  afterEach(() => rmSync(root, { recursive: true }));

  it('finds nothing where nothing is', async () => {
    assert.equal(await find(), null);
  });

  it('prefers the option, then VALKEEPER_ENGINE, then PATH, then the cache', async () => {
    const cached = place(cachedEngineDir(cacheDir, '9.1.3'), '9.1.3');
    assert.deepEqual(await find(), {
      serverPath: cached,
      cliPath: null,
      version: '9.1.3',
      origin: 'cache',
      licence: 'BSD-3-Clause',
    });
    const inPath = place(onPath, '9.1.0');
    assert.deepEqual(pick(await find()), [inPath, '9.1.0', 'path']);
    const named = place(join(root, 'named'), '9.1.1');
    assert.deepEqual(pick(await find({ named })), [named, '9.1.1', 'explicit']);
    const option = place(join(root, 'option'), '9.2.0');
    assert.deepEqual(pick(await find({ named, explicitPath: option })), [option, '9.2.0', 'explicit']);
  });

  it('passes over a server on PATH of another version', async () => {
    place(onPath, '8.1.4');
    assert.equal(await find(), null);
    const cached = place(cachedEngineDir(cacheDir, '9.1.2'), '9.1.2');
    assert.equal((await find())?.serverPath, cached);
  });

  it('takes the newest cached engine that still runs', async () => {
    const older = place(cachedEngineDir(cacheDir, '9.1.9'), '9.1.9');
    const newer = place(cachedEngineDir(cacheDir, '9.1.10'), '9.1.10');
    assert.equal((await find())?.serverPath, newer);
    writeScript(newer, '#!/bin/sh\necho "libssl.so.3: cannot open shared object file" >&2; exit 127\n');
    assert.equal((await find())?.serverPath, older);
  });

  it('finds the client beside the server', async () => {
    place(onPath, '9.1.2');
    writeScript(join(onPath, 'valkey-cli'), '#!/bin/sh\n');
    assert.equal((await find())?.cliPath, join(onPath, 'valkey-cli'));
  });

  it('never skips a named engine that is not there or of another version', async () => {
    place(onPath, '9.1.2');
    const old = place(join(root, 'old'), '8.1.4');
    const refused = (source: string, path: string, problem: RegExp) => (error: unknown) => {
      assert.ok(error instanceof ValkeeperError && error.code === 'engine_unusable', String(error));
      assert.ok(error.message.includes(source) && error.message.includes(path), error.message);
      assert.match(error.message, problem);
      return true;
    };
    await assert.rejects(
      find({ named: old }),
      refused('VALKEEPER_ENGINE', old, /version is 8\.1\.4, needed is 9\.1 or later/),
    );
    const away = join(root, 'nowhere');
    await assert.rejects(find({ explicitPath: away }), refused('the engine option', away, /no executable file/));
    await assert.rejects(
      find({ explicitPath: '/bin/sh' }),
      refused('the engine option', '/bin/sh', /does not run|not a valkey/),
    );
  });
});

it('the cache follows XDG_CACHE_HOME, else HOME', () => {
  assert.equal(defaultCacheDir({ XDG_CACHE_HOME: '/x', HOME: '/h' }), '/x/valkeeper/engine');
  assert.equal(defaultCacheDir({ HOME: '/h' }), '/h/.cache/valkeeper/engine');
});

const pick = (engine: Awaited<ReturnType<typeof findEngine>>) => [engine?.serverPath, engine?.version, engine?.origin];
