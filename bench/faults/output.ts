/** The folder of a run: what it was made with, every repetition, and the raw history behind each. */
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const ABOUT = 'run.json';
const REPETITIONS = 'repetitions.jsonl';

/** A line of it, as `Output.keep` writes it. */
export type Kept<Repetition> = Repetition & { row: string; system: string };

export class Output {
  readonly folder: string;

  constructor(folder: string, about: unknown) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, ABOUT), `${JSON.stringify(about, null, 2)}\n`);
  }

  /** A line in `repetitions.jsonl`, and the history as `ROW/SYSTEM/NUMBER.json.gz`. */
  keep(row: string, system: string, repetition: { number: number }, raw: unknown): void {
    appendFileSync(join(this.folder, REPETITIONS), `${JSON.stringify({ row, system, ...repetition })}\n`);
    const folder = join(this.folder, row, system.replaceAll(/[^\w.]+/g, '-'));
    mkdirSync(folder, { recursive: true });
    const name = `${String(repetition.number).padStart(4, '0')}.json.gz`;
    writeFileSync(join(folder, name), gzipSync(JSON.stringify(raw)));
  }

  /** The report, for people. */
  report(text: string): void {
    writeFileSync(join(this.folder, 'report.md'), text);
  }
}

/** All repetitions of a run that was made before. @throws Error when there are none */
export const keptIn = <Repetition>(folder: string): Kept<Repetition>[] =>
  readFileSync(join(folder, REPETITIONS), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Kept<Repetition>);

/** What a run was made with, as it was said to `Output`. */
export const aboutIn = <About>(folder: string): About => JSON.parse(readFileSync(join(folder, ABOUT), 'utf8')) as About;
