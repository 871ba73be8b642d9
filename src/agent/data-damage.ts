/**
 * Data files that a start cannot be made from: by what the folder shows, and by the engine's own words in its log. The
 * engine ends at most damages, but takes a missing manifest for a new log and starts *empty*, and passes over a base of
 * zero length: these two are looked for before a start (measured with Valkey 9.1.2).
 */
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { DamageView } from '../domain/view.ts';

export const LOG_FOLDER = 'appendonlydir';
const MANIFEST = 'appendonly.aof.manifest';
export const SNAPSHOT = 'dump.rdb';

/** Of what a start writes, so much is read: it says what is wrong long before. */
const START_BYTES = 512 * 1024;

const isBase = (name: string): boolean => name.includes('.base.');

/** The files of the append-only log in the order in which they are loaded; null when the manifest is not whole. */
export function logFiles(folder: string): string[] | null {
  const path = join(folder, LOG_FOLDER, MANIFEST);
  if (!existsSync(path)) return null;
  const files = readFileSync(path, 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, name, type] = /^file (\S+) seq \d+ type ([bhi])/.exec(line) ?? [];
      return name && type !== 'h' ? [{ name, type }] : [];
    });
  // The base comes first; a history file is loaded no more.
  return files.sort((a, b) => Number(b.type === 'b') - Number(a.type === 'b')).map(({ name }) => name);
}

/** What the engine would not notice by itself; null when it sees all there is to see. */
export function silentDamage(folder: string): DamageView | null {
  const log = join(folder, LOG_FOLDER);
  const found = statSync(log, { throwIfNoEntry: false });
  if (!found) return null;
  if (!found.isDirectory()) return { file: LOG_FOLDER, problem: 'it is no folder', cuttable: false };
  const present = readdirSync(log).filter((name) => name.endsWith('.aof') || name.endsWith('.rdb'));
  const manifest = `${LOG_FOLDER}/${MANIFEST}`;
  if (!existsSync(join(log, MANIFEST))) {
    const some = present.some((name) => statSync(join(log, name)).size > 0);
    return some
      ? { file: manifest, problem: 'it is missing, while files of the log are there', cuttable: false }
      : null;
  }
  const [base] = logFiles(folder) ?? [];
  const isEmptyBase =
    base !== undefined && isBase(base) && statSync(join(log, base), { throwIfNoEntry: false })?.size === 0;
  return isEmptyBase ? { file: `${LOG_FOLDER}/${base}`, problem: 'it is empty', cuttable: false } : null;
}

const MISSING = 'it is missing';

interface Sign {
  /** In a line of the engine's log; the first group, if there is one, is a file of the append-only log. */
  line: RegExp;
  problem: string;
  /** What can be read ends before the damage: the engine's tool can cut the rest off. */
  cuttable: boolean;
}

const SIGNS: readonly Sign[] = [
  { line: /Bad file format reading the append only file (\S+): /, problem: 'its format is broken', cuttable: true },
  {
    line: /Unexpected end of file reading the append only file (\S+)\. /,
    problem: 'its end is missing',
    cuttable: true,
  },
  {
    line: /Error reading the append only file (\S+), error: /,
    problem: 'it has a command that the engine does not know',
    cuttable: false,
  },
  { line: /Unable to obtain the AOF file (\S+) length\. .*No such file/, problem: MISSING, cuttable: false },
  { line: /FATAL AOF MANIFEST FILE ERROR/, problem: 'it is not a manifest', cuttable: false },
];

/** Of a snapshot, or of the base of a log, which is one. */
const SNAPSHOT_SIGNS: readonly [line: RegExp, problem: string][] = [
  [/Wrong signature trying to load DB/, 'it is not a snapshot'],
  [/Wrong RDB checksum expected/, 'its checksum is wrong'],
  [/Unexpected EOF reading RDB file/, 'its end is missing'],
  [/Internal error in RDB reading/, 'its format is broken'],
];

/**
 * What a start stumbled over, by what it wrote to its log; null when nothing of the kind, or it got through its data.
 * @param files of the append-only log, in order; none when a snapshot is loaded
 */
export function damageInLog(text: string, files: readonly string[]): DamageView | null {
  const loading = text.split('Ready to accept connections', 1)[0]!;
  // What did not fit into memory is whole.
  if (loading.length < text.length || loading.includes('failed allocating')) return null;
  const base = files.find(isBase);
  for (const { line, problem, cuttable } of SIGNS) {
    const [found, name] = line.exec(loading) ?? [];
    if (found === undefined) continue;
    // What is cut off in the middle would leave a hole.
    const isLast = name === files.at(-1) && name !== base;
    return { file: `${LOG_FOLDER}/${name ?? MANIFEST}`, problem, cuttable: cuttable && isLast };
  }
  const sign = SNAPSHOT_SIGNS.find(([line]) => line.test(loading));
  return sign ? { file: base ? `${LOG_FOLDER}/${base}` : SNAPSHOT, problem: sign[1], cuttable: false } : null;
}

/** What a start writes to the engine's log, so that it is not judged by what an earlier one wrote. */
export class StartLog {
  readonly #folder: string;
  readonly #path: string;
  #start: { from: number; at: number } | null = null;

  constructor(folder: string, path: string) {
    this.#folder = folder;
    this.#path = path;
  }

  /** A start begins. @param now milliseconds since the epoch */
  begin(now: number): void {
    this.#start = { from: statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0, at: now };
  }

  /** What it stumbled over, until that file is another. @param files as of `damageInLog` */
  damage(files: readonly string[]): DamageView | null {
    if (this.#start === null || !existsSync(this.#path)) return null;
    const found = damageInLog(this.#text(this.#start.from), files);
    if (found === null) return null;
    const file = statSync(join(this.#folder, found.file), { throwIfNoEntry: false });
    const isAsFound = file ? file.ctimeMs <= this.#start.at : found.problem === MISSING;
    return isAsFound ? found : null;
  }

  #text(from: number): string {
    const file = openSync(this.#path, 'r');
    try {
      const buffer = Buffer.alloc(START_BYTES);
      return buffer.toString('utf8', 0, readSync(file, buffer, 0, START_BYTES, from));
    } finally {
      closeSync(file);
    }
  }
}
