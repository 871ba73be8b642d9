/**
 * A file that grows by lines, in the background: a stalled disk delays the lines and never the process, a full one
 * costs lines and nothing else. (SonicBoom, which pino would use, waits forever when it flushes to a full disk.)
 */
import { close, closeSync, fstatSync, openSync, renameSync, write, writeSync } from 'node:fs';
import { fileError } from './files.ts';

export const LINE_FILE_LIMITS = {
  /** A file beyond it becomes `<file>.1`, in place of an earlier one. */
  fileBytes: 20 * 1024 ** 2,
  /** One write. The file may exceed its limit by so much. */
  writeBytes: 64 * 1024,
  /** Lines that wait for the disk; those that come on top are lost. */
  waitingBytes: 1024 ** 2,
  /** How long an ending process waits for the write that is under way, so that lines stay in order. */
  exitWaitMs: 100,
} as const;

export class LineFile {
  readonly #path: string;
  readonly #maxFileBytes: number;
  #fd: number;
  #fileBytes: number;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  /** Size of the write that is under way; 0 when none is. */
  #writingBytes = 0;
  #whenIdle: (() => void) | undefined;
  readonly #flush = () => this.#writeAtExit();

  /**
   * Opens the file to append, mode 600.
   * @throws file_unusable
   */
  constructor(path: string, maxFileBytes: number = LINE_FILE_LIMITS.fileBytes) {
    this.#path = path;
    this.#maxFileBytes = maxFileBytes;
    try {
      this.#fd = openSync(path, 'a', 0o600);
    } catch (error) {
      throw fileError('open', path, error);
    }
    this.#fileBytes = fstatSync(this.#fd).size;
    process.on('exit', this.#flush);
  }

  /** Takes a line, with its line end; never fails. */
  write(line: string): void {
    const bytes = Buffer.from(line);
    if (this.#waitingBytes + bytes.length > LINE_FILE_LIMITS.waitingBytes) return;
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (this.#writingBytes === 0) this.#writeNext();
  }

  /** Writes what waits, as far as the disk takes it, and closes the file. */
  async close(): Promise<void> {
    if (this.#writingBytes > 0) {
      await new Promise<void>((resolve) => {
        this.#whenIdle = resolve;
      });
    }
    process.off('exit', this.#flush); // until here the process may still end before this does
    this.#writeAllNow();
    await new Promise((resolve) => close(this.#fd, resolve));
  }

  #writeNext(): void {
    const chunk = this.#take();
    this.#writingBytes = chunk.length;
    if (chunk.length === 0) {
      this.#whenIdle?.();
      return;
    }
    this.#rotateIfLarge();
    write(this.#fd, chunk, (error, written = 0) => {
      this.#fileBytes += written;
      if (written < chunk.length) this.#putBack(chunk.subarray(written));
      if (error === null) {
        this.#writeNext();
      } else {
        this.#writingBytes = 0; // the next line tries again
        this.#whenIdle?.();
      }
    });
  }

  /** There are no callbacks any more: the file's size tells when the write that is under way, in another thread, is done. */
  #writeAtExit(): void {
    const deadlineMs = performance.now() + LINE_FILE_LIMITS.exitWaitMs;
    const targetBytes = this.#fileBytes + this.#writingBytes;
    const clock = new Int32Array(new SharedArrayBuffer(4));
    while (fstatSync(this.#fd).size < targetBytes && performance.now() < deadlineMs) Atomics.wait(clock, 0, 0, 1);
    this.#writeAllNow();
  }

  #writeAllNow(): void {
    try {
      while (this.#waiting.length > 0) {
        const chunk = this.#take();
        const written = writeSync(this.#fd, chunk);
        if (written < chunk.length) this.#putBack(chunk.subarray(written));
      }
    } catch {
      // Nowhere is left to say it.
    }
  }

  /** The lines of the next write, no longer waiting; empty when there are none. */
  #take(): Buffer {
    let count = 0;
    let bytes = 0;
    while (count < this.#waiting.length && (count === 0 || bytes < LINE_FILE_LIMITS.writeBytes)) {
      bytes += this.#waiting[count]!.length;
      count += 1;
    }
    this.#waitingBytes -= bytes;
    return Buffer.concat(this.#waiting.splice(0, count));
  }

  #putBack(rest: Buffer): void {
    this.#waiting.unshift(rest);
    this.#waitingBytes += rest.length;
  }

  #rotateIfLarge(): void {
    if (this.#fileBytes <= this.#maxFileBytes) return;
    const old = this.#fd;
    try {
      renameSync(this.#path, `${this.#path}.1`);
      this.#fd = openSync(this.#path, 'a', 0o600);
      this.#fileBytes = 0;
      closeSync(old);
    } catch {
      // Lines matter more than the bound: they go on into the file that is open.
    }
  }
}
