import assert from 'node:assert/strict';
import { it } from 'node:test';
import { formatInfo, mergeInfo, parseInfo } from './info-text.ts';

const lines = (...all: string[]): string => all.map((line) => `${line}\r\n`).join('');

it('reads and writes what the engine writes', () => {
  const text = lines('# Server', 'a:1', 'path:/a:b', '', '# Keyspace', 'db0:keys=1,expires=0');
  assert.equal(formatInfo(parseInfo(text)), text);
  assert.equal(formatInfo(parseInfo('')), '');
});

it('adds what can be added, and takes the rest from the first', () => {
  const merged = mergeInfo([
    parseInfo(
      lines(
        ...['# Server', 'uptime_in_seconds:5', '# Memory', 'used_memory:1048576', 'used_memory_human:1.00M'],
        ...['used_memory_peak:4194304', 'used_memory_peak_perc:25.00%', 'mem_allocator:libc'],
        ...['# Persistence', 'loading:1', 'rdb_last_bgsave_status:ok', 'rdb_last_save_time:10'],
        ...['# CPU', 'used_cpu_sys:1.500000', '# Commandstats', 'cmdstat_get:calls=1,usec=4,usec_per_call=4.00'],
        ...['# Keyspace', 'db0:keys=1,expires=1,avg_ttl=100,keys_with_volatile_items=0'],
      ),
    ),
    parseInfo(
      lines(
        ...['# Server', 'uptime_in_seconds:7', '# Memory', 'used_memory:1048576', 'used_memory_human:1.00M'],
        ...['used_memory_peak:4194304', 'used_memory_peak_perc:25.00%', 'mem_allocator:libc'],
        ...['# Persistence', 'loading:1', 'rdb_last_bgsave_status:err', 'rdb_last_save_time:8'],
        ...['# CPU', 'used_cpu_sys:0.250000', '# Commandstats', 'cmdstat_get:calls=3,usec=2,usec_per_call=0.67'],
        ...['cmdstat_set:calls=1,usec=1,usec_per_call=1.00'],
        ...['# Keyspace', 'db0:keys=3,expires=3,avg_ttl=200,keys_with_volatile_items=0', 'db3:keys=1,expires=0'],
      ),
    ),
  ]);
  assert.equal(
    formatInfo(merged),
    lines(
      ...['# Server', 'uptime_in_seconds:5', '', '# Memory', 'used_memory:2097152', 'used_memory_human:2.00M'],
      ...['used_memory_peak:8388608', 'used_memory_peak_perc:25.00%', 'mem_allocator:libc', ''],
      ...['# Persistence', 'loading:1', 'rdb_last_bgsave_status:err', 'rdb_last_save_time:8', ''],
      ...['# CPU', 'used_cpu_sys:1.750000', '', '# Commandstats', 'cmdstat_get:calls=4,usec=6,usec_per_call=1.50'],
      ...['cmdstat_set:calls=1,usec=1,usec_per_call=1.00', ''],
      ...['# Keyspace', 'db0:keys=4,expires=4,avg_ttl=175,keys_with_volatile_items=0', 'db3:keys=1,expires=0'],
    ),
  );
});
