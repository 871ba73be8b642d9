/** Facts about the disk that the data directory lies on. Writes one small file there, and removes it. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { open, realpath, rm, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { reasonOf } from '../platform/files.ts';
import type { DiskFacts, HostFacts } from './facts.ts';

const WRITTEN_BYTES = 4096;

/**
 * Looks at the data directory, or at the nearest folder above it if it is yet to be made.
 * @param mounts the text of /proc/self/mounts
 */
export async function gatherDisk(dataDir: string, mounts: string): Promise<HostFacts['disk']> {
  const path = nearest(dataDir);
  try {
    const { bsize, blocks, bavail, files, ffree } = await statfs(path);
    return {
      path,
      ...mountOf(await realpath(path), mounts),
      freeBytes: bavail * bsize,
      totalBytes: blocks * bsize,
      freeInodes: ffree,
      totalInodes: files,
      sync: await trySync(path),
    };
  } catch (error) {
    return { path, problem: reasonOf(error) };
  }
}

const nearest = (path: string): string => (existsSync(path) || dirname(path) === path ? path : nearest(dirname(path)));

/** The last mount of those that the path is below: later ones hide earlier ones. */
function mountOf(path: string, mounts: string): Pick<DiskFacts, 'fileSystem' | 'readOnly'> {
  let longest = '';
  let found: Pick<DiskFacts, 'fileSystem' | 'readOnly'> = { fileSystem: null, readOnly: false };
  for (const line of mounts.split('\n')) {
    const [, place = '', fileSystem = '', options = ''] = line.split(' ');
    const point = place.replace(/\\(\d{3})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 8)));
    const isAbove = point !== '' && (path === point || path.startsWith(point === '/' ? '/' : `${point}/`));
    if (!isAbove || point.length < longest.length) continue;
    longest = point;
    found = { fileSystem, readOnly: options.split(',').includes('ro') };
  }
  return found;
}

async function trySync(folder: string): Promise<DiskFacts['sync']> {
  const path = join(folder, `.valkeeper-doctor.${randomBytes(6).toString('hex')}.tmp`);
  const startedAt = performance.now();
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(Buffer.alloc(WRITTEN_BYTES));
      await file.sync();
    } finally {
      await file.close();
    }
    return { ms: performance.now() - startedAt };
  } catch (error) {
    return { problem: reasonOf(error) };
  } finally {
    await rm(path, { force: true }).catch(() => {}); // what failed above has been told
  }
}
