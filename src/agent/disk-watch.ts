/** How much room is left where this machine's nodes write, told whenever it has changed by much, and now and then. */
import { statfs } from 'node:fs/promises';
import type { DiskSpace } from '../domain/view.ts';

const LOOK_MS = 5_000;
/** What was told once may not have been heard: the control plane may have come since. */
const TELL_MS = 30_000;
/** Of the whole. */
const MUCH = 0.005;

export class DiskWatch {
  readonly #folder: string;
  readonly #tell: (disk: DiskSpace) => boolean;
  readonly #timer: NodeJS.Timeout;
  #told: { disk: DiskSpace; at: number } | null = null;

  /**
   * @param folder on the file system in question
   * @param tell whether somebody heard it
   */
  constructor(folder: string, tell: (disk: DiskSpace) => boolean) {
    this.#folder = folder;
    this.#tell = tell;
    this.#timer = setInterval(() => void this.#look(), LOOK_MS);
    void this.#look();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    const seen = await statfs(this.#folder).catch(() => null); // it is gone, or cannot be asked: nothing is told of it
    if (seen === null) return;
    const disk = { freeBytes: seen.bavail * seen.bsize, totalBytes: seen.blocks * seen.bsize };
    const now = performance.now();
    const changed = Math.abs(disk.freeBytes - (this.#told?.disk.freeBytes ?? 0)) > disk.totalBytes * MUCH;
    if (this.#told && !changed && now - this.#told.at < TELL_MS) return;
    if (this.#tell(disk)) this.#told = { disk, at: now };
  }
}
