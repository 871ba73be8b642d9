/** `valkeeper doctor` on this very host: the command as it is typed, with a control plane whose clock is wrong. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { CHECKS } from '../../src/doctor/diagnose-host.ts';
import type { Finding } from '../../src/domain/finding.ts';
import { knowsTls } from '../../src/engine/tls.ts';
import { testEngine } from '../support/engine.ts';
import { tempDir } from '../support/temp-dir.ts';

const LAUNCHER = join(import.meta.dirname, '..', '..', 'valkeeper');

interface Report {
  problems: number;
  warnings: number;
  findings: Finding[];
}

async function doctor(t: TestContext, args: string[] = [], env: NodeJS.ProcessEnv = {}) {
  const { serverPath } = await testEngine();
  const all = { ...process.env, VALKEEPER_ENGINE: serverPath, VALKEEPER_HOME: tempDir(t), ...env };
  return new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    execFile(LAUNCHER, ['doctor', ...args], { env: all, timeout: 60_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

const levelOf = ({ findings }: Report, check: string): Finding => findings.find((one) => one.check === check)!;

/** A server that is nothing but a clock. */
async function clockServer(t: TestContext, offsetMs: number): Promise<string> {
  const server = createServer((_, response) => {
    response
      .setHeader('date', new Date(Date.now() + offsetMs).toUTCString())
      .writeHead(401)
      .end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('every check finds something, and warnings alone are no failure', async (t) => {
  const { code, stdout, stderr } = await doctor(t, ['--json', '--server', await clockServer(t, 0)]);
  const report = JSON.parse(stdout) as Report;
  assert.equal(stderr, '');
  assert.deepEqual(
    report.findings.map(({ check }) => check),
    CHECKS.map(({ name }) => name),
  );
  const count = (level: string): number => report.findings.filter((one) => one.level === level).length;
  assert.deepEqual([report.problems, report.warnings], [count('problem'), count('warning')]);
  assert.equal(code, report.problems > 0 ? 6 : 0);
  for (const check of ['clock', 'engine', 'engine-tls', 'node']) {
    assert.equal(levelOf(report, check).level, 'ok', JSON.stringify(levelOf(report, check)));
  }
});

test('a clock that is far off is a problem, with the command that mends it, and the exit code says so', async (t) => {
  const server = await clockServer(t, 3_600_000);
  const { code, stdout } = await doctor(t, ['--server', server]);
  assert.equal(code, 6);
  assert.match(stdout, /^problem +clock +3\d{3}\.\d s behind http:.*\n +why +.*\n +now +timedatectl set-ntp true\n/m);
  assert.match(stdout, /\nProblems: \d+, warnings: \d+\.\n$/);
});

test('a control plane that does not answer is a problem; what is no address is refused', async (t) => {
  const gone = await doctor(t, ['--json', '--server', 'http://127.0.0.1:1']);
  assert.deepEqual([gone.code, levelOf(JSON.parse(gone.stdout), 'clock').level], [6, 'problem']);
  const wrong = await doctor(t, ['--json', '--server', 'localhost']);
  assert.deepEqual([wrong.code, JSON.parse(wrong.stdout).error.code], [2, 'invalid_value']);
});

test('names who has a port of nodes', async (t) => {
  const server = createTcpServer();
  // One of the thousand is free.
  for (let port = 7_999; !server.listening && port >= 7_000; port -= 1) {
    server.listen(port, '127.0.0.1');
    await Promise.race([once(server, 'listening'), once(server, 'error')]).catch(() => {});
  }
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const { stdout } = await doctor(t, ['--json']);
  const { level, says } = levelOf(JSON.parse(stdout), 'node-ports');
  assert.equal(level, 'warning');
  // Others may have some, too, and only the first are named.
  assert.ok(says.includes(`${port} (`) ? says.includes(`process ${process.pid}`) : says.includes('more'), says);
});

test('no engine and an engine without TLS are seen', async (t) => {
  const { stdout, code } = await doctor(t, ['--json'], { VALKEEPER_ENGINE: '/bin/true' });
  const report = JSON.parse(stdout) as Report;
  assert.deepEqual(
    [code, levelOf(report, 'engine').level, levelOf(report, 'engine-tls').level],
    [6, 'problem', 'unknown'],
  );
  assert.match(levelOf(report, 'engine').says, /\/bin\/true cannot be the engine/);

  const plain = join(tempDir(t), 'valkey-server');
  writeFileSync(plain, `#!/bin/sh\necho ">>> 'tls-port \\"0\\"'" >&2\nexit 1\n`);
  chmodSync(plain, 0o755);
  assert.equal(await knowsTls(plain, process.env), false);
  assert.equal(await knowsTls('/bin/true', process.env), null);
});
