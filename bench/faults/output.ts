/** The folder of a run: what it was made with, every repetition, and the raw history behind each. */
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Raw, Repetition } from './repetition.ts';

export class Output {
  readonly folder: string;

  constructor(folder: string, about: unknown) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'run.json'), `${JSON.stringify(about, null, 2)}\n`);
  }

  /** A line in `repetitions.jsonl`, and the history as `ROW/SYSTEM/NUMBER.json.gz`. */
  keep(row: string, system: string, repetition: Repetition, raw: Raw): void {
    appendFileSync(join(this.folder, 'repetitions.jsonl'), `${JSON.stringify({ row, system, ...repetition })}\n`);
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
