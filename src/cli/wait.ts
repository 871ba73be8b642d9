/** Waiting for a state: ask again and again, say what is missing, give up in time. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ValkeeperError } from '../domain/errors.ts';
import type { DatabaseStatus } from '../domain/status.ts';
import type { Cli } from './cli.ts';
import type { Progress } from './progress.ts';

const POLL_MS = 50;

export interface Wait<T> {
  poll: () => Promise<T>;
  /** What is still missing, in words; null when nothing is. */
  missing: (seen: T) => string | null;
  timeoutMs: number;
  progress: Progress;
  /** For the error: what did not come about, such as `main is not ready`, and the command that shows it later. */
  what: string;
  command: string;
}

/**
 * Resolves with what was seen last, when nothing is missing.
 * @throws not_in_time, and whatever `poll` throws
 */
export async function waitUntil<T>({ poll, missing, timeoutMs, progress, what, command }: Wait<T>): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const seen = await poll();
    const lacking = missing(seen);
    if (lacking === null) return seen;
    if (performance.now() >= deadline) {
      throw new ValkeeperError('not_in_time', { what, seconds: timeoutMs / 1000, missing: lacking, command });
    }
    progress.phase(lacking);
    await sleep(POLL_MS);
  }
}

/** Waits until the database is ready with what was asked for last, saying what is missing. @throws not_in_time */
export async function untilReady(cli: Cli, name: string, timeoutSeconds: number): Promise<DatabaseStatus> {
  const progress = cli.progress();
  return waitUntil({
    poll: () => cli.client.database(name),
    missing: missingToReady,
    timeoutMs: timeoutSeconds * 1000,
    progress,
    what: `${name} was not ready`,
    command: `valkeeper db show ${name}`,
  }).finally(() => progress.end());
}

/** What a database lacks to be ready for clients; null when it is. */
export function missingToReady(database: DatabaseStatus): string | null {
  const { name, state, spec, shards, conditions } = database;
  if (state === 'ready') return missingEndpoint(database);
  const served = shards.filter(({ primary }) => primary?.state === 'running').length;
  const inSync = shards.flatMap(({ replicas }) => replicas).filter((replica) => replica.inSync).length;
  const worst =
    conditions.find(({ lastTry }) => lastTry) ??
    conditions.find(({ severity }) => severity === 'error') ??
    conditions[0];
  return [
    `${name} is ${state}: ${served} of ${spec.shards} shards served`,
    `${inSync} of ${spec.shards * spec.replicas} replicas in sync`,
    ...(worst ? [worst.message.replace(/\.$/, '')] : []),
    ...(worst?.lastTry ? [worst.lastTry.replace(/\.$/, '')] : []),
  ].join('; ');
}

/** An endpoint that has just been started or told is waited for; one that cannot serve is a condition, and no reason to wait. */
function missingEndpoint({ name, endpoint, endpoints, conditions }: DatabaseStatus): string | null {
  const isTold = conditions.some(({ code }) => code === 'endpoint_closed' || code === 'machine_lost');
  return endpoint || endpoints.length === 0 || isTold ? null : `the endpoint of ${name} does not serve yet`;
}
