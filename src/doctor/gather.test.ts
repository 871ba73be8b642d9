import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { tempDir } from '../../test/support/temp-dir.ts';
import { gatherFacts } from './gather.ts';

/** A host of files: `/proc`, `/sys` and a data directory. */
function host(t: TestContext, files: Record<string, string>) {
  const root = realpathSync(tempDir(t));
  for (const [path, text] of Object.entries({ 'proc/.x': '', 'sys/.x': '', 'data/.x': '', ...files })) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  const gather = (dataDir = join(root, 'data')) =>
    gatherFacts({
      ...{ proc: join(root, 'proc'), sys: join(root, 'sys'), dataDir },
      ...{ clock: null, engine: { problem: 'none' }, apiPort: 7420, nodeVersion: '26.0.0' },
    });
  return { root, gather };
}

const socket = (port: number, state: string, inode: number, address = '0100007F'): string =>
  `   0: ${address}:${port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000     0        0 ${inode} 1 0 100\n`;

test('numbers and words of the kernel', async (t) => {
  const { gather } = host(t, {
    'proc/sys/vm/overcommit_memory': '2\n',
    'proc/sys/vm/swappiness': '60\n',
    'proc/sys/net/ipv4/tcp_migrate_req': '0\n',
    'proc/sys/net/core/somaxconn': '4096\n',
    'proc/sys/net/ipv4/ip_local_port_range': '32768\t60999\n',
    'proc/sys/net/ipv4/ip_local_reserved_ports': '7000-7999\n',
    'proc/sys/fs/file-max': '9223372036854775807\n',
    'proc/sys/kernel/osrelease': '6.1.0-18-amd64\n',
    'proc/meminfo': 'MemTotal:        1000 kB\nSwapTotal:        300 kB\nSwapFree:        200 kB\n',
    'proc/self/limits':
      'Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 524288               files\n',
    'sys/kernel/mm/transparent_hugepage/enabled': 'always [madvise] never\n',
  });
  const { disk, listeners, ...facts } = await gather();
  assert.ok('sync' in disk && 'ms' in disk.sync && disk.sync.ms >= 0 && disk.freeBytes > 0, JSON.stringify(disk));
  assert.equal(listeners, null);
  assert.deepEqual(facts, {
    ...{ clock: null, engine: { problem: 'none' }, apiPort: 7420, nodeVersion: '26.0.0' },
    outgoingPorts: { from: 32_768, to: 60_999 },
    reservedPorts: '7000-7999',
    overcommit: 2,
    swappiness: 60,
    migrateRequests: 0,
    listenBacklog: 4_096,
    hugePages: 'madvise',
    openFilesLimit: 524_288,
    openFilesOfHost: 2 ** 63,
    memoryBytes: 1_024_000,
    swapBytes: 307_200,
    swapUsedBytes: 102_400,
    memoryLimit: null,
    kernel: '6.1.0-18-amd64',
  });
});

test('what is not there is null', async (t) => {
  const { migrateRequests, hugePages, openFilesLimit, outgoingPorts, overcommit } = await host(t, {}).gather();
  assert.deepEqual(
    [migrateRequests, hugePages, openFilesLimit, outgoingPorts, overcommit],
    [null, null, null, null, null],
  );
});

test('the least limit of the control groups above us counts, of either version', async (t) => {
  const { gather } = host(t, {
    'proc/self/cgroup': '4:cpu,memory:/a/b\n0::/x.slice/y.service\n',
    'sys/fs/cgroup/memory.max': 'max\n',
    'sys/fs/cgroup/x.slice/memory.max': '5000\n',
    'sys/fs/cgroup/x.slice/y.service/memory.max': '6000\n',
    'sys/fs/cgroup/memory/a/memory.limit_in_bytes': '5500\n',
    'sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
  });
  assert.deepEqual((await gather()).memoryLimit, { bytes: 5_000, group: '/x.slice' });
});

test('who listens: ours, a stranger in a unit, and one that cannot be looked into', async (t) => {
  const { root, gather } = host(t, {
    'proc/net/tcp': `  sl  local_address\n${socket(7_000, '0A', 11)}${socket(6_379, '0A', 12)}${socket(7_001, '01', 13)}`,
    'proc/net/tcp6': socket(7_420, '0A', 14, '00000000000000000000000000000000'),
    'proc/21/comm': 'valkey-server\n',
    'proc/21/fd/.x': '',
    'proc/22/comm': 'redis-server\n',
    'proc/22/fd/.x': '',
    'proc/22/cgroup': '0::/system.slice/redis-server.service\n',
    'data/machines/m/.x': '',
    'data-other/.x': '',
  });
  symlinkSync('socket:[11]', join(root, 'proc/21/fd/7'));
  symlinkSync(join(root, 'data/machines/m'), join(root, 'proc/21/cwd'));
  symlinkSync('socket:[12]', join(root, 'proc/22/fd/6'));
  symlinkSync(join(root, 'data-other'), join(root, 'proc/22/cwd'));
  assert.deepEqual((await gather()).listeners, [
    { port: 7_000, pid: 21, program: 'valkey-server', unit: null, ours: true },
    { port: 6_379, pid: 22, program: 'redis-server', unit: 'redis-server.service', ours: false },
    { port: 7_420, pid: null, program: null, unit: null, ours: false },
  ]);
});

test('the mount that the data directory lies on, though it is yet to be made; nothing is left there', async (t) => {
  const { root, gather } = host(t, {});
  writeFileSync(
    join(root, 'proc/.mounts'),
    `a / ext4 rw 0 0\nb ${root}/data xfs ro,noatime 0 0\nc ${root}/data/deep\\040er tmpfs rw 0 0\nd ${root}/dat nfs rw 0 0\n`,
  );
  mkdirSync(join(root, 'proc/self'));
  symlinkSync(join(root, 'proc/.mounts'), join(root, 'proc/self/mounts'));
  const first = (await gather(join(root, 'data/new/one'))).disk;
  assert.ok('sync' in first);
  assert.deepEqual([first.path, first.fileSystem, first.readOnly], [join(root, 'data'), 'xfs', true]);
  mkdirSync(join(root, 'data/deep er'));
  const second = (await gather(join(root, 'data/deep er'))).disk;
  assert.ok('sync' in second);
  assert.deepEqual([second.fileSystem, second.readOnly], ['tmpfs', false]);
  assert.deepEqual(readdirSync(join(root, 'data')).sort(), ['.x', 'deep er']);
});

test('a folder that cannot be written is told with its reason', async (t) => {
  const { disk } = await host(t, {}).gather('/proc/self');
  assert.ok('sync' in disk && 'problem' in disk.sync, JSON.stringify(disk));
  assert.match(disk.sync.problem, /./);
});
