/** Logs of all processes and what nodes have on disk of their cluster, of the repetitions in which something went wrong. */
import { cpSync, globSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';

/** After a kill: a failover is over, and a shard that is to leave is still there. */
const AFTER_KILL_MS = 1_300;
const FILES = '{control,machines}/**/{*.log,*.err,nodes.conf,node.json}';

export class KeptLogs {
  readonly #dataDir: string;
  readonly #folder: string | null;
  #number = 0;

  /** @param folder a folder for each repetition is made there; null: nothing is kept */
  constructor(dataDir: string, folder: string | null) {
    this.#dataDir = dataDir;
    this.#folder = folder;
  }

  begin(number: number): void {
    this.#number = number;
  }

  /** Soon after: the processes of a shard that leaves take their logs with them. */
  killed(): void {
    setTimeout(() => this.#copy('after-kill'), AFTER_KILL_MS).unref();
  }

  /** What is kept of a repetition that went well is removed. */
  ended(isGood: boolean): void {
    if (this.#folder === null) return;
    if (isGood) rmSync(join(this.#folder, `${this.#number}`), { recursive: true, force: true });
    else this.#copy('end');
  }

  #copy(when: string): void {
    if (this.#folder === null) return;
    const to = join(this.#folder, `${this.#number}`, when);
    for (const file of globSync(join(this.#dataDir, FILES))) {
      try {
        cpSync(file, join(to, relative(this.#dataDir, file)));
      } catch {
        // its node has been removed meanwhile
      }
    }
  }
}
