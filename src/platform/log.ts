/** The log of one process: JSON lines to a file of bounded size or to stderr. */
import { pino } from 'pino';
import { LineFile } from './line-file.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Fields beside the message. An exception belongs into `err`: it is written with its stack. */
export type LogFields = Readonly<Record<string, unknown>>;

/** What a child's lines are about. */
export interface LogContext {
  database?: string;
  shard?: string;
  node?: string;
  step?: string;
}

interface WriteLine {
  (message: string): void;
  (fields: LogFields, message: string): void;
}

export interface Logger {
  debug: WriteLine;
  info: WriteLine;
  warn: WriteLine;
  error: WriteLine;
  /** A logger whose lines carry these fields, beside those of its parent. */
  child(context: LogContext): Logger;
}

export interface LogOptions {
  /** Of the process, such as `server` or `agent`. */
  name: string;
  /** Without it: stderr. */
  file?: string | undefined;
  /** Lines below it are not written. */
  level: LogLevel;
}

/**
 * Lines are written in the background (see LineFile), and the rest of them when the process exits; after kill -9 the
 * very last may be missing. `close` writes what is left and ends the log.
 * @throws file_unusable
 */
export function createLogger({ name, file, level }: LogOptions): { log: Logger; close: () => Promise<void> } {
  const lines = file === undefined ? undefined : new LineFile(file);
  const log = pino(
    {
      level,
      base: { name, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    lines ?? { write: (line) => void process.stderr.write(line) },
  );
  return { log, close: async () => lines?.close() };
}
