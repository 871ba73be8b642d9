/** `demo`: a fleet in a temporary directory, the play on it, and nothing left of it afterwards. */
import { mkdtempSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { styleText } from 'node:util';
import { Cli } from '../cli/cli.ts';
import { describeSpec } from '../cli/describe.ts';
import type { DemoOptions } from '../cli/process-options.ts';
import { type Look, type PlayDocument, play } from '../demo/play.ts';
import type { Scene } from '../demo/scene.ts';
import { duration, wrap } from '../demo/words.ts';
import { ValkeeperError } from '../domain/errors.ts';
import type { DatabaseSpec, DatabaseStatus } from '../domain/status.ts';
import { createDemoDatabase, killIn, removeByForce, startDemoFleet, stopAndRemove } from './demo-fleet.ts';
import { commandLine } from './report.ts';
import { Signals } from './signals.ts';

const DATABASE = 'demo';
/** Four shards, as in the notes; memory for more than is written, and what is not used is not taken. */
const SPEC = { shards: 4, replicas: 1, memoryBytes: 128 * 1024 ** 2 };
const MACHINES = 4;
/** Lines of prose are at most this long, in characters. */
const WIDEST = 92;
/** Of the process, when a claim of the play did not hold. */
const EXIT_NOT_HELD = 1;

/** The one document of `demo --json`. */
interface DemoDocument extends PlayDocument {
  engineVersion: string;
  machines: number;
  database: Pick<DatabaseStatus, 'name' | 'spec'>;
  /** From nothing to all machines connected, and from the wish to the ready database. */
  fleetUpMs: number;
  databaseReadyMs: number;
  /** Where the fleet lies, and whether it still does. */
  dataDir: string;
  kept: boolean;
}

/**
 * Plays on a fleet of its own, whatever directory is named; with `keep` it is left running, also after a failure or
 * Ctrl-C. Sets the exit code to 1 when a claim did not hold.
 * @throws demo_late, interrupted, and what starting a fleet throws
 */
export async function demo(cli: Cli, { keep = false }: DemoOptions): Promise<void> {
  const dataDir = realpathSync(mkdtempSync(join(tmpdir(), 'valkeeper-demo-')));
  const own = new Cli(cli.host, { dataDir, json: cli.json });
  const signals = new Signals();
  const stop = new AbortController();
  const outcome = keep ? 'What had started goes on.' : 'What was started has been stopped and removed.';
  const onSignal = (): void => stop.abort(new ValkeeperError('interrupted', { outcome }));
  // For ends that pass by the `finally`, such as a closed pipe: nobody else knows that this directory exists.
  const onExit = (): void => removeByForce(dataDir);
  process.on('SIGHUP', onSignal);
  if (!keep) process.on('exit', onExit);
  try {
    const fleet = await startFleet(own, signals, { signal: stop.signal, onSignal });
    const stage = new Stage(own);
    stage.say(opening(fleet, dataDir));
    const played = await play(sceneOf(own, stage, fleet, stop.signal), stage.look);
    stage.say(closing(dataDir, keep));
    if (!played.held) process.exitCode = EXIT_NOT_HELD;
    if (!keep) await stopAndRemove(own);
    // Without --json the prose was the result.
    if (cli.json) cli.print(documentOf(fleet, played, dataDir, keep), () => '');
  } finally {
    if (!keep || processesIn(dataDir).length === 0) await stopAndRemove(own);
    else own.note(`The fleet of the demo goes on in ${dataDir}.`);
    process.off('exit', onExit).off('SIGHUP', onSignal);
    signals.release();
  }
}
