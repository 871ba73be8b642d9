import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FindingLevel } from '../domain/finding.ts';
import { CHECKS, diagnoseHost } from './diagnose-host.ts';
import type { DiskFacts, HostFacts, Listener } from './facts.ts';

const GIB = 1024 ** 3;

const disk: DiskFacts = {
  path: '/var/lib/valkeeper',
  fileSystem: 'ext4',
  readOnly: false,
  freeBytes: 400 * GIB,
  totalBytes: 500 * GIB,
  freeInodes: 900_000,
  totalInodes: 1_000_000,
  sync: { ms: 2 },
};

/** A host with which all is well. */
const well: HostFacts = {
  clock: { server: 'http://10.0.0.1:7420', reading: { theirs: 10_000, askedAt: 9_999, answeredAt: 10_001 } },
  apiPort: 7420,
  listeners: [{ port: 7000, pid: 3, program: 'valkey-server', unit: 'valkeeper-agent.service', ours: true }],
  outgoingPorts: { from: 32_768, to: 60_999 },
  reservedPorts: '',
  overcommit: 1,
  swappiness: 60,
  migrateRequests: 1,
  listenBacklog: 4_096,
  hugePages: 'madvise',
  openFilesLimit: 1_048_576,
  openFilesOfHost: 1_000_000,
  disk,
  memoryBytes: 64 * GIB,
  swapBytes: 0,
  swapUsedBytes: 0,
  memoryLimit: { bytes: 63.9 * GIB, group: '/' },
  engine: { version: '9.1.2', path: '/usr/bin/valkey-server', tls: true },
  nodeVersion: '26.10.0',
  kernel: '6.1.0-18-amd64',
};

const listener = (port: number, more: Partial<Listener> = {}): Listener => ({
  ...{ port, pid: 12, program: 'redis-server', unit: null, ours: false },
  ...more,
});
const ahead = (ms: number) => ({
  ...well.clock!,
  reading: { theirs: 600_000 - ms, askedAt: 600_000, answeredAt: 600_001 },
});

type Case = [
  check: string,
  facts: Partial<HostFacts>,
  level: FindingLevel,
  says: RegExp,
  now?: RegExp,
  lasting?: RegExp,
];

const cases: Case[] = [
  ['clock', { clock: ahead(2_001) }, 'warning', /^2\.0 s ahead of http:\/\/10/, /set-ntp true/, /chrony/],
  ['clock', { clock: ahead(2_000) }, 'ok', /agrees with/],
  ['clock', { clock: ahead(300_001) }, 'problem', /^300\.0 s ahead of/],
  ['clock', { clock: ahead(-300_002) }, 'problem', /^300\.0 s behind/],
  [
    'clock',
    { clock: { server: 'http://x', problem: 'refused' } },
    'problem',
    /http:\/\/x does not answer: refused/,
    /curl/,
  ],
  ['clock', { clock: null }, 'unknown', /--server URL/],
  ['open-files', { openFilesLimit: 65_535 }, 'warning', /65535, needed are 65536/, /ulimit -n 65536/, /limits\.d/],
  ['open-files', { openFilesLimit: 10_031 }, 'problem', /10031/],
  ['open-files', { openFilesLimit: Number.POSITIVE_INFINITY }, 'ok', /./],
  ['open-files', { openFilesOfHost: 1_024 }, 'problem', /together may open 1024/, /fs\.file-max=1048576/],
  ['open-files', { openFilesLimit: null }, 'unknown', /limits/],
  ['engine', { engine: { problem: 'There is none.' } }, 'problem', /^There is none\.$/, /valkeeper up/],
  [
    'engine-tls',
    { engine: { version: '9.1.2', path: '/x', tls: false } },
    'warning',
    /\/x was built without TLS/,
    /VALKEEPER_ENGINE/,
  ],
  ['engine-tls', { engine: { version: '9.1.2', path: '/x', tls: null } }, 'unknown', /did not say/],
  ['engine-tls', { engine: { problem: 'There is none.' } }, 'unknown', /no engine/],
  ['node', { nodeVersion: '23.11.0' }, 'problem', /23\.11\.0; needed is 24/, /./],
  ['node', { nodeVersion: '24.0.0' }, 'ok', /24\.0\.0/],
  ['kernel', { kernel: '4.17.9' }, 'warning', /4\.17\.9/, /full-upgrade/],
  ['kernel', { kernel: '4.18.0' }, 'ok', /./],
  [
    'overcommit',
    { overcommit: 0 },
    'warning',
    /is 0, not 1/,
    /^sysctl -w vm\.overcommit_memory=1$/,
    /'vm\.overcommit_memory = 1' > \/etc\/sysctl\.d\//,
  ],
  ['overcommit', { overcommit: 2 }, 'problem', /is 2/],
  ['overcommit', { overcommit: null }, 'unknown', /cannot be read/],
  ['huge-pages', { hugePages: 'always' }, 'warning', /all processes/, /^echo madvise > \/sys/, /tmpfiles\.d/],
  ['huge-pages', { hugePages: 'never' }, 'ok', /never/],
  ['huge-pages', { hugePages: null }, 'unknown', /cannot be read/],
  [
    'swap',
    { swapBytes: 8 * GIB, swapUsedBytes: GIB },
    'warning',
    /^8gb of swap, 1gb in use; vm\.swappiness is 60$/,
    /swappiness=1$/,
    /sysctl\.d/,
  ],
  ['swap', { swapBytes: 8 * GIB, swappiness: 10 }, 'ok', /is 10/],
  ['swap', { swapBytes: 8 * GIB, swappiness: null }, 'unknown', /cannot be read/],
  [
    'memory-limit',
    { memoryLimit: { bytes: 4 * GIB, group: '/system.slice/a.service' } },
    'warning',
    /allows 4gb of 64gb/,
    /^systemctl set-property a\.service MemoryMax=infinity$/,
  ],
  ['memory-limit', { memoryLimit: { bytes: 4 * GIB, group: '/docker/abc' } }, 'warning', /\/docker\/abc allows/],
  ['memory-limit', { memoryLimit: null }, 'ok', /no control group/],
  [
    'disk-room',
    { disk: { ...disk, freeBytes: 63 * GIB } },
    'warning',
    /63gb of 500gb are free at \/var\/lib\/valkeeper, less than the 64gb of memory/,
    /^du /,
  ],
  [
    'disk-room',
    { disk: { ...disk, freeBytes: 90 * GIB, totalBytes: 1000 * GIB } },
    'warning',
    /free at \/var\/lib\/valkeeper$/,
  ],
  ['disk-room', { disk: { ...disk, freeBytes: 511 * 1024 ** 2 } }, 'problem', /^511mb/],
  [
    'disk-room',
    { disk: { path: '/x', problem: 'permission denied' } },
    'unknown',
    /\/x could not be looked at: permission denied/,
  ],
  ['disk-inodes', { disk: { ...disk, freeInodes: 99_999 } }, 'warning', /99999 of 1000000/, /--inodes/],
  ['disk-inodes', { disk: { ...disk, freeInodes: 999 } }, 'problem', /^999 of/],
  ['disk-inodes', { disk: { ...disk, freeInodes: 0, totalInodes: 0 } }, 'ok', /does not count/],
  ['disk-sync', { disk: { ...disk, sync: { ms: 100.1 } } }, 'warning', /100\.1 ms/, /iostat/],
  [
    'disk-sync',
    { disk: { ...disk, sync: { problem: 'the disk is full' } } },
    'problem',
    /cannot be written: the disk is full/,
    /ls -ld/,
  ],
  ['disk-sync', { disk: { ...disk, readOnly: true } }, 'problem', /is read-only/, /remount,rw/],
  ['disk-kind', { disk: { ...disk, fileSystem: 'tmpfs' } }, 'warning', /is tmpfs/, /df /],
  ['disk-kind', { disk: { ...disk, fileSystem: 'nfs4' } }, 'warning', /is nfs4/],
  ['disk-kind', { disk: { ...disk, fileSystem: null } }, 'unknown', /does not tell/],
  [
    'api-port',
    { listeners: [listener(7420, { unit: 'nginx.service' })] },
    'warning',
    /7420 \(redis-server, process 12, nginx\.service\)/,
    /^systemctl disable --now nginx\.service$/,
  ],
  ['api-port', { listeners: [listener(7420, { ours: true })] }, 'ok', /^7420 is ours$/],
  ['api-port', { listeners: null }, 'unknown', /net\/tcp/],
  [
    'node-ports',
    { listeners: [listener(7003), listener(17_003), listener(17_009)] },
    'warning',
    /^998 pairs are left; taken: 7003 .*, 17009 /,
    /^ss -ltnp 'sport = :7003'$/,
  ],
  [
    'node-ports',
    { listeners: Array.from({ length: 901 }, (_, index) => listener(7_000 + index)) },
    'problem',
    /^99 pairs are left; .* and 898 more$/,
  ],
  [
    'node-ports',
    { listeners: Array.from({ length: 900 }, (_, index) => listener(7_000 + index)) },
    'warning',
    /^100 pairs/,
  ],
  ['node-ports', { listeners: [listener(8_000), listener(16_999), listener(18_000)] }, 'ok', /^0 have nodes of ours/],
  ['node-ports', { listeners: null }, 'unknown', /net\/tcp/],
  [
    'endpoint-ports',
    { listeners: [listener(6_379, { pid: null, program: null })] },
    'warning',
    /6379 \(of another user/,
    /^ss /,
  ],
  ['endpoint-ports', { listeners: [listener(6_394, { ours: true }), listener(6_395)] }, 'ok', /^1 are ours/],
  ['endpoint-ports', { listeners: null }, 'unknown', /net\/tcp/],
  [
    'outgoing-ports',
    { outgoingPorts: { from: 1_024, to: 65_535 }, reservedPorts: '80' },
    'warning',
    /1024 to 65535, ours among them/,
    /ip_local_reserved_ports=80,6379-6394,7000-7999,7420,17000-17999$/,
    /sysctl\.d/,
  ],
  ['outgoing-ports', { outgoingPorts: { from: 17_999, to: 65_535 } }, 'warning', /17999/],
  [
    'outgoing-ports',
    { outgoingPorts: { from: 1_024, to: 65_535 }, reservedPorts: '6379-6394,7000-7999,17000-17999' },
    'ok',
    /./,
  ],
  ['outgoing-ports', { outgoingPorts: null }, 'unknown', /cannot be read/],
  ['migrate-requests', { migrateRequests: 0 }, 'warning', /is 0, not 1/, /tcp_migrate_req=1$/, /sysctl\.d/],
  ['migrate-requests', { migrateRequests: null }, 'unknown', /before 5\.14/],
  ['listen-backlog', { listenBacklog: 510 }, 'warning', /is 510/, /somaxconn=4096$/, /sysctl\.d/],
  ['listen-backlog', { listenBacklog: 511 }, 'ok', /511/],
  ['listen-backlog', { listenBacklog: null }, 'unknown', /cannot be read/],
];

test('a host with which all is well', () => {
  for (const finding of diagnoseHost(well)) assert.equal(finding.level, 'ok', `${finding.check}: ${finding.says}`);
});

for (const [index, [check, facts, level, says, now, lasting]] of cases.entries()) {
  test(`${index + 1}: ${check} is ${level}: ${says.source}`, () => {
    const finding = diagnoseHost({ ...well, ...facts }).find((one) => one.check === check)!;
    assert.equal(finding.level, level, finding.says);
    assert.match(finding.says, says);
    assert.equal(finding.why !== null, level === 'warning' || level === 'problem');
    if (now) assert.match(finding.now ?? '', now);
    if (lasting) assert.match(finding.lasting ?? '', lasting);
    if (level === 'ok' || level === 'unknown') assert.deepEqual([finding.now, finding.lasting], [null, null]);
  });
}

test('every check has facts above that it finds fault with, and a name of its own', () => {
  const faulty = new Set(
    cases.filter(([, , level]) => level === 'warning' || level === 'problem').map(([name]) => name),
  );
  assert.deepEqual([...faulty].sort(), CHECKS.map(({ name }) => name).sort());
});
