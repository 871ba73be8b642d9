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

/** What is kept. */
export interface RosterContent {
  voters: VoterList;
  databases: readonly GuardedDatabase[];
}

export const NOTHING_KNOWN: RosterContent = { voters: NO_VOTERS, databases: [] };

/** Emits `changed` when something else than before is on disk. */
export class Roster extends EventEmitter<{ changed: [] }> {
  readonly #keep: (content: RosterContent) => Promise<void>;
  #content: RosterContent;
  #changing: Promise<void> = Promise.resolve();

  /** @throws file_unusable, file_damaged */
  static async open(dir: string): Promise<Roster> {
    const path = join(dir, FILE);
    const content = await readJson(path);
    const keep = (next: RosterContent) => writeFileAtomic(path, `${JSON.stringify(next)}\n`);
    if (content === undefined) return new Roster(NOTHING_KNOWN, keep);
    if (isContent(content)) return new Roster(content, keep);
    throw new ValkeeperError('file_damaged', { path, problem: 'it says not who votes and what is guarded' });
  }

  /** @param keep resolves when it is on disk */
  constructor(content: RosterContent, keep: (content: RosterContent) => Promise<void>) {
    super();
    this.#content = content;
    this.#keep = keep;
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
  #change(next: (present: RosterContent) => RosterContent): Promise<void> {
    const change = async (): Promise<void> => {
      const content = next(this.#content);
      if (content === this.#content) return;
      await this.#keep(content);
      this.#content = content;
      this.emit('changed');
    };
    this.#changing = this.#changing.then(change, change);
    return this.#changing;
  }
}

function isContent(value: unknown): value is RosterContent {
  const { voters, databases } = (value ?? {}) as Partial<RosterContent>;
  return isVoterList(voters) && Array.isArray(databases) && databases.every(isGuardedDatabase);
}
