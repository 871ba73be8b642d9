/** What a blob may be named: what every folder and every S3 takes, and what cannot lead out of its place. */
import { ValkeeperError } from '../domain/errors.ts';

/** Of a whole name: S3 takes 1024 with the prefix of its place. */
const NAME_CHARACTERS = 512;
/** Of one word: a file's name has 255 at most, and a put adds to it while it writes. */
const WORD_CHARACTERS = 200;

/** What is wrong with a name, or null. */
export function nameProblem(name: string): string | null {
  if (name.length > NAME_CHARACTERS) return `it has ${name.length} characters, at most ${NAME_CHARACTERS} are taken`;
  for (const word of name.split('/')) {
    if (word === '') return 'it has an empty part';
    if (word === '.' || word === '..') return `it has the part ${word}`;
    if (word.length > WORD_CHARACTERS)
      return `a part has ${word.length} characters, at most ${WORD_CHARACTERS} are taken`;
    const odd = /[^A-Za-z0-9._-]/u.exec(word)?.[0];
    if (odd !== undefined) return `it has the character ${JSON.stringify(odd)}`;
  }
  return null;
}

/** @throws blob_name_invalid */
export function checkName(name: string): void {
  const problem = nameProblem(name);
  if (problem !== null) throw new ValkeeperError('blob_name_invalid', { name: shown(name), problem });
}

/** A prefix is the beginning of a name, and may end in the middle of a word. @throws blob_name_invalid */
export function checkPrefix(prefix: string): void {
  if (prefix === '') return;
  const problem = nameProblem(`${prefix}x`); // completes the last word
  if (problem !== null) throw new ValkeeperError('blob_name_invalid', { name: `${shown(prefix)}...`, problem });
}

/** The order of names: by their characters, which are all ASCII. */
export const compareNames = (a: { name: string }, b: { name: string }): number =>
  a.name < b.name ? -1 : a.name > b.name ? 1 : 0;

const shown = (name: string): string => JSON.stringify(name.length > 60 ? `${name.slice(0, 60)}...` : name);
