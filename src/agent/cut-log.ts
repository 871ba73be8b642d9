/**
 * An append-only log whose end cannot be read is cut where it can, by the engine's own tool: the program of the engine
 * under the name `valkey-check-aof`. What is cut off is kept aside, so that nothing is destroyed.
 *
 * The tool is given the one file, not the manifest: of a log whose base is a snapshot of Valkey it says that the base is
 * broken (Valkey 9.1.2 looks for the signature of Redis there).
 */
import { spawn } from 'node:child_process';
import { createReadStream, readdirSync, rmSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { ValkeeperError } from '../domain/errors.ts';
import type { CutView } from '../domain/view.ts';
import { fileError } from '../platform/files.ts';
import type { NodeDirectory } from './node-directory.ts';

/** Reads some hundred megabytes a second; a log has to be huge to need longer. */
const TOOL_DEADLINE_MS = 10 * 60_000;
const MOST_OUTPUT_CHARS = 100_000;
/** Before the offset, in the name of what was cut off. */
const CUT_INFIX = '.cut-at-';

/** @throws node_data_damaged when the engine's tool finds nothing to cut or fails, file_unusable: then nothing was cut */
export async function cutLog(directory: NodeDirectory, enginePath: string, machine: string): Promise<CutView> {
  const damage = directory.damage();
  if (!damage?.cuttable) throw new ValkeeperError('nothing_to_mend', { node: directory.manifest.config.id, machine });
  const { file } = damage;
  const path = join(directory.path, file);
  const { size, readable } = analysisIn(await runTool(enginePath, directory.path, [file]));
  if (size === null || readable === null || readable >= size || size !== statSync(path).size) {
    const problem = `${damage.problem}, and the engine's tool finds nothing to cut off`;
    throw new ValkeeperError('node_data_damaged', { node: directory.manifest.config.id, machine, file, problem });
  }
  const aside = join(directory.path, `${basename(file)}${CUT_INFIX}${readable}`);
  await keepEnd(path, readable, aside);
  const cut = { file, keptBytes: readable, cutBytes: size - readable, aside, at: Date.now() };
  await directory.save({ cut }); // before it is done: what is told may have been cut, not the other way round
  await runTool(enginePath, directory.path, ['--fix', file]);
  if (statSync(path).size === readable) return cut;
  const problem = `${damage.problem}, and the engine's tool did not cut it`;
  throw new ValkeeperError('node_data_damaged', { node: directory.manifest.config.id, machine, file, problem });
}

/** In the words of the tool: how large the file is, and up to where it can be read. */
function analysisIn(output: string): { size: number | null; readable: number | null } {
  const [, size, readable] = /AOF analyzed: .*size=(\d+), ok_up_to=(\d+),/.exec(output) ?? [];
  return { size: size ? Number(size) : null, readable: readable ? Number(readable) : null };
}

/** Copies the file's end, durably, in the place of what was kept before. @throws file_unusable */
async function keepEnd(path: string, from: number, aside: string): Promise<void> {
  const folder = join(aside, '..');
  const before = readdirSync(folder).filter((name) => name.includes(CUT_INFIX));
  try {
    const target = await open(aside, 'w', 0o600);
    try {
      for await (const part of createReadStream(path, { start: from })) await target.writeFile(part);
      await target.sync();
    } finally {
      await target.close();
    }
  } catch (error) {
    throw fileError('write', aside, error);
  }
  for (const name of before) if (name !== basename(aside)) rmSync(join(folder, name), { force: true });
}

/** What the tool says; it is told to go ahead when it asks. */
function runTool(enginePath: string, cwd: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(enginePath, args, { argv0: 'valkey-check-aof', cwd, timeout: TOOL_DEADLINE_MS });
    let output = '';
    const hear = (part: Buffer): void => {
      if (output.length < MOST_OUTPUT_CHARS) output += part;
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    child.stdin.on('error', () => {}); // it may end without asking
    child.stdin.end('y\n');
    child.once('error', reject);
    child.once('close', () => resolve(output));
  });
}
