/**
 * What the control plane has told this agent, so that it can act while none is there: who votes, and which databases it
 * guards. Kept in the machine's folder, for its owner's eyes only: passwords are in it.
 */
import { EventEmitter } from 'node:events';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { ValkeeperError } from '../domain/errors.ts';
import { type GuardedDatabase, NO_VOTERS, type VoterList } from '../domain/roster.ts';
import { readJson, writeFileAtomic } from '../platform/files.ts';
import { isGuardedDatabase, isVoterList } from './roster-shape.ts';

const FILE = 'roster.json';

interface Content {
  voters: VoterList;
  databases: readonly GuardedDatabase[];
}

const NOTHING: Content = { voters: NO_VOTERS, databases: [] };

/** Emits `changed` when something else than before is on disk. */
export class Roster extends EventEmitter<{ changed: [] }> {
  readonly #path: string;
  #content: Content;
  #changing: Promise<void> = Promise.resolve();

  /** @throws file_unusable, file_damaged */
  static async open(dir: string): Promise<Roster> {
    const path = join(dir, FILE);
    const content = await readJson(path);
    if (content === undefined) return new Roster(path, NOTHING);
    if (isContent(content)) return new Roster(path, content);
    throw new ValkeeperError('file_damaged', { path, problem: 'it says not who votes and what is guarded' });
  }

  private constructor(path: string, content: Content) {
    super();
    this.#path = path;
    this.#content = content;
  }

  get voters(): VoterList {
    return this.#content.voters;
  }

  get databases(): readonly GuardedDatabase[] {
    return this.#content.databases;
  }

  /** Resolves when a newer list is on disk and in force; one that is not newer changes nothing. @throws file_unusable */
  setVoters(list: VoterList): Promise<void> {
    return this.#change((present) => (list.version > present.voters.version ? { ...present, voters: list } : present));
  }

  /** From now on exactly these. Resolves when that is on disk. @throws file_unusable */
  guard(databases: readonly GuardedDatabase[]): Promise<void> {
    return this.#change((present) =>
      isDeepStrictEqual(present.databases, databases) ? present : { ...present, databases },
    );
  }

  /** One after the other, and in force only when it is on disk: what was confirmed must outlive a crash. */
  #change(next: (present: Content) => Content): Promise<void> {
    const change = async (): Promise<void> => {
      const content = next(this.#content);
      if (content === this.#content) return;
      await writeFileAtomic(this.#path, `${JSON.stringify(content)}\n`);
      this.#content = content;
      this.emit('changed');
    };
    this.#changing = this.#changing.then(change, change);
    return this.#changing;
  }
}

function isContent(value: unknown): value is Content {
  const { voters, databases } = (value ?? {}) as Partial<Content>;
  return isVoterList(voters) && Array.isArray(databases) && databases.every(isGuardedDatabase);
}
