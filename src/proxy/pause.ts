/** CLIENT PAUSE: commands of the endpoint's clients wait until it is over; those that only read need not, if asked so. */
import { CommandScanner, ENGINE_LIMITS } from '../resp/command-scanner.ts';
import { type Command, findCommand } from './commands/command-index.ts';
import { FLAGS } from './commands/facts.ts';

/** What may write though it does not say so. */
const MAY_WRITE = new Set(['eval', 'evalsha', 'fcall', 'pfcount', 'publish', 'spublish']);

export class Pause {
  /** Milliseconds since the epoch; 0 while there is none. */
  until = 0;
  mode: 'none' | 'write' | 'all' = 'none';
  readonly #waiting = new Set<() => void>();
  readonly #changed: () => void;
  #timer: NodeJS.Timeout | null = null;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  get isOn(): boolean {
    return this.until > 0;
  }

  /** Of two pauses the longer time and the stricter mode count. */
  begin(ms: number, mode: 'write' | 'all'): void {
    this.until = Math.max(this.until, Date.now() + ms);
    this.mode = this.mode === 'all' ? 'all' : mode;
    this.#wakeLater();
    this.#changed();
  }

  #wakeLater(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => {
        if (Date.now() < this.until) this.#wakeLater();
        else this.end();
      },
      Math.min(LONGEST_TIMER_MS, Math.max(0, this.until - Date.now())),
    );
    this.#timer.unref();
  }

  end(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.until = 0;
    this.mode = 'none';
    this.#changed();
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resume of waiting) resume();
  }

  /** @returns how to wait no more */
  wait(resume: () => void): () => void {
    this.#waiting.add(resume);
    return () => this.#waiting.delete(resume);
  }
}

const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Whether a command may change something: a script unless its first line says that it does not. */
export function mayWrite(command: Command, script: Buffer | undefined): boolean {
  if ((command.facts.flags & FLAGS.write) !== 0) return true;
  if (!MAY_WRITE.has(command.name)) return false;
  return script === undefined || !/^#![^\n]*\bflags=[^\n]*\bno-writes\b/.test(script.toString('latin1', 0, 1024));
}

/** The same of a whole frame, as a transaction keeps them. */
export function frameMayWrite(frame: Buffer): boolean {
  const scanner = new CommandScanner();
  scanner.scan(frame, 0, frame.length, ENGINE_LIMITS);
  const [at] = scanner.starts;
  const command = findCommand(frame, at!, scanner.lengths[0]!);
  const from = scanner.starts[1]!;
  const script = command?.name === 'eval' ? frame.subarray(from, from + scanner.lengths[1]!) : undefined;
  return command !== undefined && mayWrite(command, script);
}
