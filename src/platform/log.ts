/** The log of one process: JSON lines to a file of bounded size or to stderr. */
import { closeSync, fstatSync, openSync, renameSync } from 'node:fs';
import { pino } from 'pino';
import { fileError } from './files.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export const LOG_LIMITS = {
  /** A file beyond it becomes `<file>.1`, in place of an earlier one. */
  fileBytes: 20 * 1024 ** 2,
  /** Lines that wait for a slow or full disk; what comes on top is lost rather than the memory of the process. */
  bufferedBytes: 1024 ** 2,
} as const;

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
  /** For tests; `LOG_LIMITS.fileBytes` otherwise. */
  maxFileBytes?: number;
}

interface Destination {
  write(line: string): void;
  close(): void;
}

/**
 * Lines are written in the background, so that a stalled disk never stalls its process, and to the end when the
 * process exits; after kill -9 the very last may be missing. `close` writes what is left and ends the log.
 * @throws file_unusable
 */
export function createLogger({ name, file, level, maxFileBytes = LOG_LIMITS.fileBytes }: LogOptions): {
  log: Logger;
  close: () => void;
} {
  const destination = file === undefined ? toStderr() : toFile(file, maxFileBytes);
  const log = pino(
    {
      level,
      base: { name, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
  return { log, close: () => destination.close() };
}

const toStderr = (): Destination => ({ write: (line) => void process.stderr.write(line), close: () => {} });

function toFile(file: string, maxFileBytes: number): Destination {
  let { stream, sizeBytes } = openStream(file, maxFileBytes);
  const flush = () => {
    try {
      stream.flushSync();
    } catch {
      // A full disk: there is nowhere left to say so.
    }
  };
  process.on('exit', flush);
  return {
    write(line) {
      if (sizeBytes > maxFileBytes) {
        flush();
        stream.end();
        ({ stream, sizeBytes } = openStream(file, maxFileBytes));
      }
      sizeBytes += Buffer.byteLength(line);
      stream.write(line);
    },
    close() {
      process.off('exit', flush);
      flush();
      stream.end();
    },
  };
}

/** The file opened to append, after its predecessor was put aside if that had grown too large. */
function openStream(file: string, maxFileBytes: number) {
  try {
    let fd = openSync(file, 'a', 0o600);
    let sizeBytes = fstatSync(fd).size;
    if (sizeBytes > maxFileBytes) {
      closeSync(fd);
      renameSync(file, `${file}.1`);
      fd = openSync(file, 'a', 0o600);
      sizeBytes = 0;
    }
    const stream = pino.destination({ dest: fd, sync: false, maxLength: LOG_LIMITS.bufferedBytes });
    stream.on('error', () => {}); // the lines stay buffered and are tried again with the next one
    return { stream, sizeBytes };
  } catch (error) {
    throw fileError('open', file, error);
  }
}
