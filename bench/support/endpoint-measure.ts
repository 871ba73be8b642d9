/** One repetition of one load on one target. */
import { join } from 'node:path';
import { runChild, startHelper } from './children.ts';
import { type ClosedLoad, DATA_SETS, keyOf, SMALL } from './endpoint-loads.ts';
import type { Target } from './endpoint-targets.ts';
import type { Address } from './formation.ts';
import { type BenchmarkResult, parseBenchmark, parseRate, type RateResult } from './load-output.ts';
import { cpuMs, pssBytes } from './process-cost.ts';
import type { RateOptions } from './rate-process.ts';

export const CONNECTIONS = 50;
const DEADLINE_MS = 60_000;
const FILL_PIPELINE = 8;

export interface Cost {
  /** Processor time of the target, in microseconds an operation. */
  cpuUs: number;
  perSecond: number;
}

const cpuOf = (pids: readonly number[]): number => pids.reduce((sum, pid) => sum + cpuMs(pid), 0);

/** Processor time of the target while `work` runs, in milliseconds. */
async function spent<T>({ name, pids }: Target, work: () => Promise<T>): Promise<{ result: T; cpu: number }> {
  const before = pids();
  const start = cpuOf(before);
  const result = await work();
  const after = pids();
  if (before.join() !== after.join()) throw new Error(`${name}: a process came or went while it was measured`);
  const cpu = cpuOf(after) - start;
  if (cpu <= 0) throw new Error(`${name}: it used no processor time; is ${after.join()} the process that serves?`);
  return { result, cpu };
}

export class Bench {
  readonly #program: string;

  /** `program` is valkey-benchmark. */
  constructor(program: string) {
    this.#program = program;
  }

  /** Every key of every data set gets its value. */
  async fill({ address, shards }: Target): Promise<void> {
    for (const to of shards ?? [address]) {
      for (const { prefix, keys, bytes } of DATA_SETS) {
        const command = ['SET', `${prefix}__rand_int__`, '__data__'];
        // In order, from one connection: every key exactly once.
        const how = ['-c', '1', '-P', `${FILL_PIPELINE}`, '--sequential', '-n', `${keys}`, '-r', `${keys}`];
        await this.#run(to, [...how, '-d', `${bytes}`], command);
      }
    }
  }

  async closed(target: Target, load: ClosedLoad, operations: number): Promise<Cost> {
    const { keys, bytes } = load.data;
    const how = ['-c', `${CONNECTIONS}`, '-P', `${load.pipeline}`, '-n', `${operations}`, '-r', `${keys}`];
    const { result, cpu } = await spent(target, () =>
      this.#run(target.address, [...how, '-d', `${bytes}`], load.command),
    );
    return { cpuUs: (cpu * 1000) / operations, perSecond: result.perSecond };
  }

  /** The load slowed to `perSecond` by the program that makes it: a command waits while every connection is taken. */
  async paced(target: Target, load: ClosedLoad, perSecond: number, ms: number): Promise<Cost & BenchmarkResult> {
    const { keys, bytes } = load.data;
    const operations = Math.ceil((perSecond * ms) / 1000);
    const how = ['-c', `${CONNECTIONS}`, '--rps', `${Math.round(perSecond)}`, '-n', `${operations}`, '-r', `${keys}`];
    const { result, cpu } = await spent(target, () =>
      this.#run(target.address, [...how, '-d', `${bytes}`], load.command),
    );
    return { ...result, cpuUs: (cpu * 1000) / operations };
  }

  async #run({ host, port }: Address, how: readonly string[], command: readonly string[]): Promise<BenchmarkResult> {
    const args = ['-h', host, '-p', `${port}`, '--csv', ...how, '--', ...command];
    return parseBenchmark(await runChild(this.#program, args, DEADLINE_MS));
  }
}

export interface RateCost extends RateResult {
  cpuUs: number;
}

/** Commands on small values, due by the clock. */
export async function atRate(
  target: Target,
  command: 'GET' | 'SET',
  perSecond: number,
  measuredMs: number,
): Promise<RateCost> {
  const options: RateOptions = {
    ...target.address,
    command,
    data: SMALL,
    connections: CONNECTIONS,
    perSecond: Math.round(perSecond),
    warmUpMs: 1_000,
    measuredMs,
  };
  const args = [join(import.meta.dirname, 'rate-process.ts'), JSON.stringify(options)];
  const { result, cpu } = await spent(target, () => runChild(process.execPath, args, DEADLINE_MS));
  const found = parseRate(result);
  return { ...found, cpuUs: (cpu * 1000) / found.operations };
}

/** Connects so many clients that then do nothing; `end` disconnects them. */
export function connectIdle({ address }: Target, count: number): Promise<{ end: () => Promise<void> }> {
  const args = [address.host, `${address.port}`, `${count}`, keyOf(SMALL, 7)];
  return startHelper('idle-process.ts', args, DEADLINE_MS);
}

/** Memory of the target, in bytes. */
export const memoryOf = ({ pids }: Target): number => pids().reduce((sum, pid) => sum + pssBytes(pid), 0);
