import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { tempDir } from '../../test/support/temp-dir.ts';
import { availableMemory } from './memory.ts';

function availableOn(t: TestContext, files: Record<string, string>): number {
  const root = tempDir(t);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return availableMemory(join(root, 'proc'), join(root, 'sys'));
}

const MEMINFO = 'MemTotal:  900 kB\nMemFree:   10 kB\nMemAvailable:  500 kB\n';

test('without a limit it is what the machine has', (t) => {
  assert.equal(availableOn(t, { 'proc/meminfo': MEMINFO }), 500 * 1024);
});

test('a control group above us may leave less; pages of files that it holds can be taken back', (t) => {
  const files = {
    'proc/meminfo': MEMINFO,
    'proc/self/cgroup': '0::/x.slice/y.service\n',
    'sys/fs/cgroup/x.slice/memory.max': '200000\n',
    'sys/fs/cgroup/x.slice/memory.current': '190000\n',
    'sys/fs/cgroup/x.slice/memory.stat': 'anon 1\nactive_file 20000\ninactive_file 30000\nshmem 5\n',
    'sys/fs/cgroup/x.slice/y.service/memory.max': 'max\n',
  };
  assert.equal(availableOn(t, files), 60_000);
  assert.equal(availableOn(t, { ...files, 'sys/fs/cgroup/x.slice/memory.current': '900000\n' }), 0);
});

test('so may one of the first version', (t) => {
  const files = {
    'proc/meminfo': MEMINFO,
    'proc/self/cgroup': '4:cpu,memory:/a\n',
    'sys/fs/cgroup/memory/a/memory.limit_in_bytes': '100000\n',
    'sys/fs/cgroup/memory/a/memory.usage_in_bytes': '90000\n',
    'sys/fs/cgroup/memory/a/memory.stat': 'active_file 1\ntotal_active_file 5000\ntotal_inactive_file 5000\n',
    'sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
    'sys/fs/cgroup/memory/memory.usage_in_bytes': '800000\n',
  };
  assert.equal(availableOn(t, files), 20_000);
});

test('where the kernel does not say it is made out otherwise', (t) => {
  assert.ok(availableOn(t, {}) > 0);
});
