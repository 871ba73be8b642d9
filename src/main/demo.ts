/** `demo`: a fleet in a temporary directory, the play on it, and nothing left of it afterwards. */
import { mkdtempSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { styleText } from 'node:util';
import { Cli } from '../cli/cli.ts';
import type { Progress } from '../cli/progress.ts';
import { ACTS } from '../demo/acts.ts';
import { type Look, type PlayDocument, play } from '../demo/play.ts';
import { columns, duration, tenths } from '../demo/words.ts';
import { ValkeeperError } from '../domain/errors.ts';
import { formatSize } from '../domain/size.ts';
import { type DatabaseSpec, SPEC_LIMITS } from '../domain/spec.ts';
import { defaultDataDir } from './data-dir.ts';
import { createDemoDatabase, removeByForce, startDemoFleet, stopAndRemove } from './demo-fleet.ts';
import { sceneOf } from './demo-scene.ts';
import { processesIn } from './processes.ts';
import { commandLine } from './report.ts';
import { Signals } from './signals.ts';

const DATABASE = 'demo';
/**
 * Four shards, as in the notes; memory for more than is written, and what is not used is not taken. The copies on a
 * machine that is away are given up as soon as can be: the audience waits for it.
 */
const SPEC = {
  ...{ shards: 4, replicas: 1, memoryBytes: 128 * 1024 ** 2 },
  replaceAfterSeconds: SPEC_LIMITS.replaceAfterSeconds.min,
};
/** One may be lost: on the others is room for its copies. */
const MACHINES = 4;
/** Lines of prose are at most this long, in characters. */
const WIDEST = 92;
/** Of the process, when a claim of the play did not hold. */
const EXIT_NOT_HELD = 1;

/** The fleet, as the document of `demo --json` has it, beside what was played. */
interface DemoFleet {
  engineVersion: string;
  machines: number;
  database: { name: string; spec: DatabaseSpec };
  /** From nothing to all machines connected, and from the wish to the ready database. */
  fleetUpMs: number;
  databaseReadyMs: number;
  /** Where it lies, and whether it goes on there. */
  dataDir: string;
  kept: boolean;
}

/**
 * Plays on a fleet of its own, whatever directory is named; with `keep` it is left running, also after a failure or
 * Ctrl-C. Sets the exit code to 1 when a claim did not hold.
 * @throws demo_late, interrupted, and what starting a fleet throws
 */
export async function demo(cli: Cli, { keep }: { keep: boolean }): Promise<void> {
  const dataDir = realpathSync(mkdtempSync(join(tmpdir(), 'valkeeper-demo-')));
  const own = new Cli(cli.host, { dataDir, json: cli.json });
  const stage = new Stage(own);
  const stop = new AbortController();
  const outcome = keep ? 'What had started goes on.' : 'What was started has been stopped and removed.';
  const onSignal = (): void => stop.abort(new ValkeeperError('interrupted', { outcome }));
  // For an end that passes by the `finally`, such as a closed pipe: nobody else knows that this directory exists.
  const onExit = (): void => removeByForce(dataDir);
  const signals = new Signals();
  process.on('SIGHUP', onSignal);
  if (!keep) process.on('exit', onExit);
  let document: DemoFleet & PlayDocument;
  try {
    document = await playOn(own, stage, keep, signals, { onSignal, signal: stop.signal });
  } finally {
    stage.end();
    if (keep && processesIn(dataDir).length > 0) own.note(`The fleet of the demo goes on in ${dataDir}.`);
    else await stopAndRemove(own);
    process.off('exit', onExit).off('SIGHUP', onSignal);
    signals.release();
  }
  if (!document.held) process.exitCode = EXIT_NOT_HELD;
  if (cli.json) cli.print(document, () => ''); // otherwise the prose was the result
}

async function playOn(
  cli: Cli,
  stage: Stage,
  kept: boolean,
  signals: Signals,
  stop: Stop,
): Promise<DemoFleet & PlayDocument> {
  const startedAt = performance.now();
  await startDemoFleet(cli, MACHINES, signals);
  signals.handle(stop.onSignal); // `up` had a use of its own for them
  const fleetUpMs = performance.now() - startedAt;
  const { name, spec } = await createDemoDatabase(cli, DATABASE, SPEC, stop.signal);
  const databaseReadyMs = performance.now() - startedAt - fleetUpMs;
  const [{ engineVersion }, { password }] = await Promise.all([cli.client.status(), cli.client.password(DATABASE)]);
  const fleet: DemoFleet = {
    ...{ engineVersion, machines: MACHINES, database: { name, spec } },
    ...{ fleetUpMs: tenths(fleetUpMs), databaseReadyMs: tenths(databaseReadyMs) },
    ...{ dataDir: cli.dataDir, kept },
  };
  stage.say(opening(fleet, stage.look));
  const played = await play(
    ACTS,
    sceneOf(cli, DATABASE, {
      ...{ password, signal: stop.signal },
      say: (text) => stage.say(text),
      phase: (text) => stage.phase(text),
    }),
    stage.look,
  );
  stage.say(closing(fleet, stage.look));
  return { ...fleet, ...played };
}

/** Ends the play: what a signal of the system does, and how everyone hears of it. */
interface Stop {
  onSignal: () => void;
  signal: AbortSignal;
}

/** Where the prose goes: to stdout, or with --json beside the document, to stderr. */
class Stage {
  readonly look: Look;
  readonly #cli: Cli;
  readonly #stream: NodeJS.WriteStream;
  #progress: Progress;

  constructor(cli: Cli) {
    this.#cli = cli;
    this.#stream = cli.json ? cli.host.stderr : cli.host.stdout;
    this.#progress = cli.progress();
    const style = (format: Parameters<typeof styleText>[0]) => (text: string) =>
      styleText(format, text, { stream: this.#stream });
    const [strong, good, bad] = [style('bold'), style('green'), style(['bold', 'red'])];
    this.look = {
      width: Math.min(this.#stream.columns || WIDEST, WIDEST),
      strong,
      mark: (held) => (held ? good('held') : bad('NOT HELD')),
    };
  }

  say(text: string): void {
    this.#progress.end();
    this.#progress = this.#cli.progress(); // a new wait is quiet for its first second again
    this.#stream.write(`${text}\n`);
  }

  phase(text: string): void {
    this.#progress.phase(text);
  }

  end(): void {
    this.#progress.end();
  }
}

function opening({ engineVersion, database, fleetUpMs, databaseReadyMs, dataDir }: DemoFleet, look: Look): string {
  const { shards, replicas, memoryBytes } = database.spec;
  const size = `${shards} shards with ${replicas} replica each, ${formatSize(memoryBytes)}`;
  return [
    look.strong('The notes on scaling Redis, played on a fleet of its own.'),
    '',
    ...columns([
      ['Machines', `${MACHINES}, all on this host, up in ${duration(fleetUpMs)}; Valkey ${engineVersion}`],
      ['Database', `${database.name}: ${size}; from the wish to ready in ${duration(databaseReadyMs)}`],
      ['Data', dataDir],
    ]),
  ].join('\n');
}

function closing({ dataDir, kept }: DemoFleet, look: Look): string {
  const here = commandLine(dataDir, process.env, process.cwd());
  const home = commandLine(defaultDataDir(process.env), process.env, process.cwd());
  const lines = kept
    ? [
        [here(`db show ${DATABASE}`), 'who serves what now'],
        [here('events'), 'what happened, and why'],
        [here('down'), 'stop; then remove the folder'],
      ]
    : [
        [home('demo --keep'), 'the same, and the fleet stays for a closer look'],
        [home('up'), 'a fleet of your own, with a database `main`'],
        [home('db plan orders --shards 4'), 'what creating one more would do'],
      ];
  return `\n${look.strong('To try next')}\n${columns(lines).join('\n')}`;
}
