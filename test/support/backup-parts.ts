/** Parts of backups for tests: made of bytes at hand, and read back as a whole or not at all. */
import { createHash } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import type { Part } from '../../src/backup/part.ts';
import { readPart } from '../../src/backup/part-reader.ts';
import { type PartOptions, writePart } from '../../src/backup/part-writer.ts';

export const KEY = Buffer.from('000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f', 'hex');

export const FORMS: readonly { name: string; options: PartOptions }[] = [
  { name: 'as it is', options: { compression: 'none', key: null } },
  { name: 'compressed', options: { compression: 'zstd', key: null } },
  { name: 'encrypted', options: { compression: 'none', key: KEY } },
  { name: 'compressed and encrypted', options: { compression: 'zstd', key: KEY } },
];

export const sha256Of = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** The bytes in chunks of these sizes, over and over; some come at once, some a turn later. */
export async function* chunksOf(bytes: Uint8Array, sizes: readonly number[] = [1000]): AsyncGenerator<Uint8Array> {
  for (let at = 0, index = 0; at < bytes.length; index += 1) {
    const size = sizes[index % sizes.length]!;
    if (size % 2 === 1) await turn();
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

export async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export interface Written {
  stored: Buffer;
  part: Part;
}

export async function written(raw: Uint8Array, options: PartOptions, sizes?: readonly number[]): Promise<Written> {
  const { content, facts } = writePart(chunksOf(raw, sizes), options);
  const stored = await collect(content);
  return { stored, part: { name: 'shard-1.part', ...(await facts) } };
}

export const readBack = ({ stored, part }: Written, key: Buffer | null, sizes?: readonly number[]): Promise<Buffer> =>
  collect(readPart(chunksOf(stored, sizes), part, key));

/** As if the manifest had been written for these bytes: only what is in the part itself can tell. */
export const vouchedFor = (stored: Buffer, part: Part): Written => ({
  stored,
  part: { ...part, storedBytes: stored.length, storedSha256: sha256Of(stored) },
});
