import assert from 'node:assert/strict';
import { it } from 'node:test';
import { parseAddress, parseBenchmark, parseRate } from './load-output.ts';

const HEAD =
  '"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"';

it('finds rate and waits in what valkey-benchmark prints, progress included', () => {
  const row = '"GET bench:64:__rand_int__","41237.11","1.198","0.232","1.183","1.399","1.743","3.103"';
  const found = { perSecond: 41_237.11, p50: 1_183, p99: 1_743, max: 3_103 };
  assert.deepEqual(parseBenchmark(`${HEAD}\n${row}\n`), found);
  assert.deepEqual(parseBenchmark(`${HEAD}\r\n                  \r${row}\n`.replace('\r"', '\n"')), found);
});

it('refuses output without figures', () => {
  assert.throws(() => parseBenchmark(`${HEAD}\n`), /no figures/);
  assert.throws(() => parseBenchmark('Error from server: LOADING'), /LOADING/);
  assert.throws(() => parseBenchmark(`${HEAD}\n"GET","nan","0","0","0","0","0","0"\n`), /no figures/);
});

it('reads what a load at a fixed rate found', () => {
  const found = { p50: 210.5, p99: 800, max: 2_000, operations: 40_000, perSecond: 9_990, lateP99: 90 };
  assert.deepEqual(parseRate(`${JSON.stringify(found)}\n`), found);
  assert.throws(() => parseRate('{"p50":1}'), /no p99/);
});

it('reads addresses in every form that they come in', () => {
  const address = { host: '127.0.0.11', port: 6380 };
  for (const form of ['127.0.0.11:6380', 'redis://127.0.0.11:6380', 'redis://u:p@127.0.0.11:6380/0', address]) {
    assert.deepEqual(parseAddress(form), address);
  }
  assert.throws(() => parseAddress(undefined), /not an address/);
  assert.throws(() => parseAddress('somewhere'), /not an address/);
});
