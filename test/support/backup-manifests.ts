/** A manifest of a backup for tests. */
import type { BackupManifest } from '../../src/backup/manifest.ts';
import { DEFAULT_SPEC } from '../../src/domain/spec.ts';
import { KEY } from './backup-parts.ts';

type Draft = Omit<BackupManifest, 'keyId'>;
type Shard = BackupManifest['shards'][number];

/** Of a database with two shards, the first of which has its slots in two pieces. */
export function manifestOf({ encrypted }: { encrypted: boolean }): Draft {
  const shard = (index: number, slots: Shard['slots']): Shard => ({
    name: `shard-${index}`,
    slots,
    part: {
      name: `shard-${index}.part`,
      rawBytes: 1000 + index,
      rawSha256: `${index}`.repeat(64),
      storedBytes: 500 + index,
      storedSha256: `${index + 2}`.repeat(64),
      compression: 'zstd',
      encrypted,
    },
    node: `${index}`.repeat(40),
    machine: `machine-${index}`,
    role: index === 1 ? 'replica' : 'primary',
    replicationId: `${index + 4}`.repeat(40),
    offset: 123_456,
    dataBytes: 4_096,
    keys: 42,
    startedAt: 1_790_000_000_000,
    forkedAt: 1_790_000_000_010 + index,
    endedAt: 1_790_000_002_000,
  });
  return {
    id: '20261127T141558Z-4f6a',
    createdAt: '2026-11-27T14:15:58.000Z',
    endedAt: '2026-11-27T14:16:02.000Z',
    database: {
      name: 'shop',
      uid: '4f6a',
      spec: { ...DEFAULT_SPEC, shards: 2, port: 6379, users: [{ name: 'grüße', rules: '~app:* +@read' }] },
      generation: 3,
      aclMark: '0123abcd',
    },
    engineVersion: '9.1.0',
    valkeeperVersion: '0.1.0',
    rdbVersion: 80,
    shards: [
      shard(1, [
        [0, 99],
        [8192, 16_383],
      ]),
      shard(2, [[100, 8191]]),
    ],
    skewMs: 1,
    functions: null,
    labels: { trigger: 'schedule' },
    ...(encrypted ? { secrets: { password: 'hunter2', users: { app: 'correct horse' } } } : {}),
  };
}

export const keyFor = (encrypted: boolean): Buffer | null => (encrypted ? KEY : null);
