/** The engine's source as upstream's release archive, pinned by checksum. */
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ValkeeperError } from '../domain/errors.ts';
import type { OnProgress } from './progress.ts';

/** An archive and the only content that is accepted for it. */
export interface Archive {
  url: string;
  /** Lower-case hexadecimal. */
  sha256: string;
}

/** The release that is built where Debian's source package cannot be had. */
export const UPSTREAM_ARCHIVE: Archive = {
  url: 'https://github.com/valkey-io/valkey/archive/refs/tags/9.1.2.tar.gz',
  sha256: '19c23908e7d57e8d91ef85b41f5646307582f10f4f0fb999bbf89ed24ec9c983',
};

const MAX_ARCHIVE_BYTES = 64 * 1024 * 1024;
const DOWNLOAD_DEADLINE_MS = 10 * 60_000;

/**
 * Downloads the archive to `file` and checks it.
 * Raises `engine_checksum` when its content is not the pinned one; any other failure is thrown as it came.
 */
export async function downloadArchive(
  archive: Archive,
  file: string,
  signal: AbortSignal,
  onProgress: OnProgress,
): Promise<void> {
  onProgress({ phase: 'fetch', detail: `downloading ${archive.url}` });
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(DOWNLOAD_DEADLINE_MS)]);
  const response = await fetch(archive.url, { signal: bounded });
  if (!response.ok || response.body === null) throw new Error(`${archive.url} answered ${response.status}`);

  const totalBytes = Number(response.headers.get('content-length') ?? 0);
  const hash = createHash('sha256');
  let seenBytes = 0;
  const inspect = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      seenBytes += chunk.length;
      if (seenBytes > MAX_ARCHIVE_BYTES)
        return done(new Error(`${archive.url} is larger than ${MAX_ARCHIVE_BYTES} bytes`));
      if (totalBytes > 0) {
        onProgress({
          phase: 'fetch',
          detail: `downloading ${archive.url}`,
          fraction: Math.min(1, seenBytes / totalBytes),
        });
      }
      done(null, chunk);
    },
  });
  await pipeline(Readable.fromWeb(response.body), inspect, createWriteStream(file), { signal: bounded });

  const actual = hash.digest('hex');
  if (actual !== archive.sha256) {
    throw new ValkeeperError('engine_checksum', { url: archive.url, expected: archive.sha256, actual });
  }
}
