/** A part of any size takes little memory. Alone in its process, whose memory it looks at. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { it } from 'node:test';
import { KEY, sha256Of } from '../../test/support/backup-parts.ts';
import { readPart } from './part-reader.ts';
import { writePart } from './part-writer.ts';

const MIB = 1024 ** 2;
const TOTAL = 200 * MIB;
const MOST_GROWTH = 100 * MIB;

/** Chunks of 64 KiB, a quarter of them noise, no two the same. */
async function* generated(): AsyncGenerator<Uint8Array> {
  const pattern = Buffer.alloc(64 * 1024, 'user:1000 {"name":"somebody"} ');
  pattern.set(randomBytes(16 * 1024), 1000);
  for (let at = 0; at < TOTAL; at += pattern.length) {
    const chunk = Buffer.from(pattern);
    for (let word = 0; word < 512; word += 1) chunk.writeUInt32LE((at + word * 2_654_435) >>> 0, word * 128);
    yield chunk;
  }
}

it('200 MiB are written and read again in little memory', async () => {
  const before = process.memoryUsage().rss;
  let most = before;
  const look = (): void => {
    most = Math.max(most, process.memoryUsage().rss);
  };
  const stored: Buffer[] = [];
  const { content, facts } = writePart(generated(), { compression: 'zstd', key: KEY });
  for await (const chunk of content) {
    stored.push(Buffer.from(chunk));
    look();
  }
  const part = { name: 'shard-1.part', ...(await facts) };
  let bytes = 0;
  const source = async function* () {
    yield* stored;
  };
  for await (const chunk of readPart(source(), part, KEY)) {
    bytes += chunk.length;
    look();
  }
  assert.equal(bytes, TOTAL);
  assert.equal(sha256Of(Buffer.concat(stored)), part.storedSha256);
  const growth = most - before - part.storedBytes;
  assert.ok(growth < MOST_GROWTH, `it took ${Math.round(growth / MIB)} MiB beside what was stored`);
});
