/** `valkeeper service`: units written below a root, checked by systemd's own reader, and systemctl's turns. */
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { install } from '../../src/engine/tools.ts';
import { pathsIn, runningServer } from '../../src/main/data-dir.ts';
import { isSettled, nodesOf, withFleet } from '../support/fleet.ts';
import { tempDir } from '../support/temp-dir.ts';

const LAUNCHER = join(import.meta.dirname, '..', '..', 'valkeeper');

function service(words: string, env: NodeJS.ProcessEnv = {}) {
  return new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    const all = { ...process.env, VALKEEPER_HOME: '', ...env };
    execFile(LAUNCHER, ['service', ...words.split(' ')], { env: all, timeout: 60_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

const unitAt = (root: string, role: string): string => join(root, 'etc/systemd/system', `valkeeper-${role}.service`);

/** The values of a key, sections aside. */
const valuesOf = (unit: string, key: string): string[] =>
  [...unit.matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].map(([, value]) => value!);

for (const role of ['server', 'agent']) {
  test(`the unit of the ${role}: systemd reads it, restarts end nothing but it, and what it starts exists`, async (t) => {
    const root = tempDir(t);
    const { code, stdout } = await service(`install ${role} --root ${root}`);
    assert.equal(code, 0);
    assert.match(
      stdout,
      new RegExp(`systemctl daemon-reload\n +systemctl enable --now valkeeper-${role}\\.service\n$`),
    );
    const path = unitAt(root, role);
    const unit = readFileSync(path, 'utf8');
    assert.equal(statSync(path).mode & 0o777, 0o644);
    const expected: Record<string, string[]> = {
      Type: ['exec'],
      Restart: ['always'],
      RestartPreventExitStatus: ['2'],
      KillMode: ['process'],
      KillSignal: role === 'server' ? ['SIGQUIT'] : [],
      OOMScoreAdjust: ['-500'],
      OOMPolicy: ['continue'],
      StateDirectory: ['valkeeper'],
      WorkingDirectory: ['/var/lib/valkeeper'],
      Wants: ['network-online.target'],
      WantedBy: ['multi-user.target'],
      User: [],
    };
    for (const [key, values] of Object.entries(expected)) assert.deepEqual(valuesOf(unit, key), values, key);
    assert.ok(Number(valuesOf(unit, 'LimitNOFILE')[0]) >= 65_536);
    const [command = ''] = valuesOf(unit, 'ExecStart');
    const words = command.split(' ');
    const config = `/etc/valkeeper/${role}.yaml`;
    assert.deepEqual(words.slice(-5), [role, '--config', config, '--data-dir', '/var/lib/valkeeper']);
    const help = execFileSync(words[0]!, [...words.slice(1, -4), '--help'], { encoding: 'utf8' });
    assert.match(help, new RegExp(`^Usage: valkeeper ${role}`));
    assert.match(readFileSync(join(root, config), 'utf8'), /^#data-dir: /m);
    assert.equal(statSync(join(root, config)).mode & 0o777, 0o600);
  });
}

test('systemd has nothing to say against either unit', async (t) => {
  const isThere = (): boolean => existsSync('/usr/bin/systemd-analyze') || existsSync('/bin/systemd-analyze');
  await install(
    async () => (isThere() ? [] : [{ what: 'systemd-analyze', debianPackage: 'systemd' }]),
    process.env,
    () => {},
  );
  const root = tempDir(t);
  for (const role of ['server', 'agent']) {
    // A name with what must be escaped, and a user that every system has.
    const { code } = await service(`install ${role} --root ${root} --user nobody --data-dir ${root}/100%_$x`);
    assert.equal(code, 0);
    const args = ['verify', '--man=no', unitAt(root, role)];
    const output = execFileSync('systemd-analyze', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
    assert.equal(output, '');
  }
  const broken = unitAt(root, 'agent');
  writeFileSync(broken, readFileSync(broken, 'utf8').replace('Type=exec', 'Type=nonsense'));
  const { status, stderr } = await new Promise<{ status: number; stderr: string }>((resolve) => {
    execFile('systemd-analyze', ['verify', '--man=no', broken], (error, _stdout, said) => {
      resolve({ status: Number(error?.code ?? 0), stderr: said });
    });
  });
  assert.match(`${status} ${stderr}`, /nonsense/, 'a unit that is wrong is told');
});

test('written again it stays; a different one only goes when asked; what is not ours is not removed', async (t) => {
  const root = tempDir(t);
  const json = async (words: string): Promise<[number, Record<string, unknown>]> => {
    const { code, stdout } = await service(`${words} --root ${root} --json`);
    return [code, JSON.parse(stdout)];
  };
  const codeOf = ({ error }: Record<string, unknown>): unknown => (error as { code: string } | undefined)?.code;
  assert.equal((await json('show agent'))[1]['installed'], 'absent');
  assert.deepEqual((await json('install agent'))[1]['written'], true);
  const [, again] = await json('install agent');
  assert.deepEqual([again['written'], again['configWritten']], [false, false]);
  assert.equal((await json('show agent'))[1]['installed'], 'same');

  const [exit, refused] = await json('install agent --user valkeeper');
  assert.deepEqual([exit, codeOf(refused)], [4, 'unit_exists']);
  assert.equal((await json('show agent --user valkeeper'))[1]['installed'], 'different');
  writeFileSync(join(root, 'etc/valkeeper/agent.yaml'), '# mine\n');
  const [, forced] = await json('install agent --user valkeeper --force');
  assert.equal(forced['written'], true);
  assert.match((forced['next'] as string[])[0]!, /^useradd --system .* valkeeper$/);
  assert.deepEqual(valuesOf(readFileSync(unitAt(root, 'agent'), 'utf8'), 'User'), ['valkeeper']);
  assert.equal(readFileSync(join(root, 'etc/valkeeper/agent.yaml'), 'utf8'), '# mine\n', 'configuration stays');

  const wants = join(root, 'etc/systemd/system/multi-user.target.wants');
  mkdirSync(wants);
  symlinkSync(unitAt(root, 'agent'), join(wants, 'valkeeper-agent.service'));
  writeFileSync(unitAt(root, 'agent'), '[Service]\nExecStart=/bin/true\n');
  const [foreignExit, foreign] = await json('uninstall agent');
  assert.deepEqual([foreignExit, codeOf(foreign)], [4, 'unit_foreign']);
  assert.equal((await json('uninstall agent --force'))[1]['removed'], true);
  assert.equal((await json('uninstall agent'))[1]['removed'], false);
  assert.throws(() => statSync(join(wants, 'valkeeper-agent.service')), { code: 'ENOENT' });
  assert.ok(existsSync(join(root, 'etc/valkeeper/agent.yaml')));
});

const mistakes: [words: string, code: string, says: RegExp][] = [
  ['install proxy', 'invalid_value', /process: must be one of server, agent, is proxy/],
  ['install agent --user Root!', 'invalid_value', /--user: Root! is not/],
  ['install agent --root /tmp --now', 'invalid_value', /--now: nothing runs below \/tmp/],
  ['install agent --root /proc/x', 'file_unusable', /\/proc\/x/],
];

for (const [words, code, says] of mistakes) {
  test(`refuses: ${words}`, async () => {
    const { error } = JSON.parse((await service(`${words} --json`)).stdout) as { error: Record<string, string> };
    assert.equal(error['code'], code);
    assert.match(error['message']!, says);
  });
}

test('a systemctl that fails is told in its own words', async (t) => {
  const dir = tempDir(t);
  writeFileSync(join(dir, 'systemctl'), '#!/bin/sh\necho "Access denied to $*" >&2\nexit 4\n');
  chmodSync(join(dir, 'systemctl'), 0o755);
  const { code, stdout } = await service('uninstall agent --now --json', { PATH: `${dir}:${process.env['PATH']}` });
  const { error } = JSON.parse(stdout) as { error: Record<string, string> };
  assert.deepEqual([code, error['code']], [6, 'systemctl_failed']);
  assert.match(error['message']!, /Access denied to disable --now valkeeper-agent\.service$/);
});

test('the signal of the unit ends the server alone; started again it finds the same nodes', async () => {
  await withFleet({ machines: 1, up: [] }, async (fleet) => {
    const before = await fleet.until('main', isSettled);
    const server = runningServer(fleet.dir)!;
    process.kill(server.pid, 'SIGQUIT');
    while (runningServer(fleet.dir)) await pause(20);
    assert.ok(!existsSync(pathsIn(fleet.dir).server), 'it ended in order');
    // In the fleet's folder: there it is found and ended, if this test fails.
    const cwd = join(fleet.dir, 'control');
    spawn(LAUNCHER, ['server', '--data-dir', fleet.dir], { cwd, env: fleet.env(), stdio: 'ignore' });
    while (!runningServer(fleet.dir)) await pause(20);
    const isSeen = (status: typeof before): boolean => nodesOf(status).every(({ pid }) => pid !== null);
    const after = await fleet.until('main', (status) => isSettled(status) && isSeen(status));
    const pids = (status: typeof before): unknown => nodesOf(status).map(({ nodeId, pid }) => [nodeId, pid]);
    assert.deepEqual(pids(after), pids(before));
  });
});
