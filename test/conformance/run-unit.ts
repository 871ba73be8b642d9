/** Runs units of the suite against an address. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Engine } from '../../src/engine/engine.ts';
import type { OnProgress } from '../../src/engine/progress.ts';
import { run } from '../../src/engine/run.ts';
import { readOutput, type SuiteOutput } from './output.ts';
import { ensureSuite, ensureTcl } from './suite.ts';
import { freeBasePort } from './talk-port.ts';

export interface Address {
  host: string;
  port: number;
}

export interface RunOptions {
  /** Names of tests that are left out. */
  skip?: readonly string[];
  /** A test that makes no progress for so long is given up, and its unit with it. Default: four times the longest. */
  silenceS?: number;
}

/** One run of one unit. */
export interface UnitRun extends SuiteOutput {
  seconds: number;
}

const SILENCE_S = 180;
/** A unit is killed, with all that it has started, when it takes longer; the longest takes a quarter of it. */
const UNIT_LIMIT_MS = 600_000;

const FLAGS = ['--cluster-mode', '--durable', '--clients', '1', '--ignore-encoding', '--ignore-digest', '--no-latency'];
/** Groups of tests that need what an endpoint is not asked for, or take long. */
const DENIED = '-needs:debug -needs:repl -needs:reset -needs:config-maxmemory -slow -large-memory';

/** The suite's own starter, with what it prints given out line by line: else the last 4 KB are lost when it is killed. */
const START = 'fconfigure stdout -buffering line\nsource tests/test_helper.tcl\n';

/** The suite of the engine's version, ready to run; fetched, and Tcl installed, when they are missing. */
export async function openSuite(engine: Engine, onProgress: OnProgress): Promise<Suite> {
  const tcl = await ensureTcl(onProgress);
  return new Suite(await ensureSuite(engine.version, onProgress), tcl, engine);
}

/** A working copy of the suite, so that runs may go on side by side. */
export class Suite {
  readonly #dir = mkdtempSync(join(tmpdir(), 'valkeeper-conformance-'));
  readonly #tcl: string;

  constructor(suiteDir: string, tcl: string, engine: Engine) {
    this.#tcl = tcl;
    cpSync(suiteDir, this.#dir, { recursive: true });
    writeFileSync(join(this.#dir, 'start.tcl'), START);
    const programs = join(this.#dir, 'bin');
    mkdirSync(programs);
    symlinkSync(engine.serverPath, join(programs, 'valkey-server'));
    if (engine.cliPath !== null) symlinkSync(engine.cliPath, join(programs, 'valkey-cli'));
  }

  /** Every unit of the suite, as `--list-tests` names them, in its order. */
  async units(): Promise<string[]> {
    const { stdout, code, stderr } = await this.#start(['--list-tests']);
    if (code !== 0) throw new Error(`the suite does not list its units: ${stderr}`);
    return stdout.split('\n').filter((line) => line.includes('/'));
  }

  /** Runs one unit. `signal` stops it with all that it has started. */
  async run(unit: string, { host, port }: Address, signal: AbortSignal, options: RunOptions = {}): Promise<UnitRun> {
    const { skip = [], silenceS = SILENCE_S } = options;
    const startedAt = performance.now();
    let text = '';
    const limit = AbortSignal.timeout(UNIT_LIMIT_MS);
    const place = [
      '--host',
      host,
      '--port',
      String(port),
      '--baseport',
      String(await freeBasePort()),
      '--single',
      unit,
    ];
    const args = [
      ...place,
      '--tags',
      DENIED,
      '--timeout',
      String(silenceS),
      ...skip.flatMap((name) => ['--skiptest', name]),
    ];
    const ended = await this.#start(args, AbortSignal.any([limit, signal]), (more) => {
      text += more;
    });
    signal.throwIfAborted();
    const seconds = (performance.now() - startedAt) / 1_000;
    const read = readOutput(text, unit);
    const stopped = limit.aborted ? `killed after ${UNIT_LIMIT_MS / 1_000} s` : read.stopped;
    if (read.whole || stopped !== null) return { ...read, stopped, seconds };
    return { ...read, stopped: `${ended.ending}: ${text.slice(-1_000).trim()}`, seconds };
  }

  [Symbol.dispose](): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #start(args: readonly string[], signal?: AbortSignal, onOutput?: (text: string) => void) {
    return run(this.#tcl, ['start.tcl', ...FLAGS, ...args], {
      cwd: this.#dir,
      // Without a terminal's name it does not colour what it prints.
      env: { ...process.env, TERM: 'dumb', LC_ALL: 'C.UTF-8', VALKEY_BIN_DIR: join(this.#dir, 'bin') },
      ...(signal === undefined ? {} : { signal }),
      ...(onOutput === undefined ? {} : { onOutput }),
    });
  }
}
