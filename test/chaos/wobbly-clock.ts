/** A wall clock that can be moved under running processes: Debian's libfaketime. Monotonic clocks go on as they are. */
import { existsSync, globSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { debianProgram } from '../support/debian.ts';

/** Processes look at the file as often as this. */
const LOOK_SECONDS = 1;

export class WobblyClock {
  readonly #file: string;
  readonly #library: string;

  static async make(dir: string): Promise<WobblyClock> {
    await debianProgram('faketime', 'faketime');
    const [library] = globSync('/usr/lib/*/faketime/libfaketimeMT.so.1');
    if (library === undefined) throw new Error('libfaketimeMT.so.1 was not found: apt-get install faketime');
    return new WobblyClock(join(dir, 'clock'), library);
  }

  private constructor(file: string, library: string) {
    this.#file = file;
    this.#library = library;
    this.set(0);
  }

  /** Moves it to so many seconds ahead of the true time; behind it where negative. */
  set(seconds: number): void {
    writeFileSync(this.#file, `${seconds < 0 ? '-' : '+'}${Math.abs(seconds)}\n`);
  }

  /**
   * Removes what the library leaves in shared memory of processes that were killed: another one that got the number of
   * such a process could not start with this clock.
   */
  static sweep(): void {
    for (const path of globSync('/dev/shm/*faketime_*')) {
      if (!existsSync(`/proc/${/\d+$/.exec(path)?.[0]}`)) rmSync(path, { force: true });
    }
  }

  /** For processes that are to have this clock, and for all that they start. */
  get env(): NodeJS.ProcessEnv {
    return {
      LD_PRELOAD: this.#library,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_CACHE_DURATION: `${LOOK_SECONDS}`,
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      NO_FAKE_STAT: '1',
    };
  }
}
