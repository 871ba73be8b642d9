/** Waiting until slots are where they are to be. */
import type { DatabaseStatus } from '../domain/status.ts';
import type { AddCommand } from './action.ts';
import type { Cli } from './cli.ts';
import { describeReshard } from './describe-reshard.ts';
import { integer } from './options.ts';
import { untilReady, waitUntil } from './wait.ts';

export interface WaitOptions {
  wait: boolean;
  timeout: number;
}

/** Slots take their time: an hour, if nothing is said. */
export const RESHARD_SECONDS = 3_600;
const DAY_SECONDS = 86_400;

/** The options of a command that may wait for slots. */
export const withWait = (command: ReturnType<Parameters<AddCommand>[0]['command']>) =>
  command
    .option('--no-wait', 'return as soon as the wish is stored')
    .option(
      '--timeout <seconds>',
      'how long to wait',
      integer('--timeout', { min: 1, max: DAY_SECONDS }),
      RESHARD_SECONDS,
    );

/** Until all slots are where they are to be, and the database is ready. @throws not_in_time */
export async function untilMoved(cli: Cli, name: string, seconds: number): Promise<DatabaseStatus> {
  const progress = cli.progress();
  await waitUntil({
    poll: () => cli.client.database(name),
    missing: (seen: DatabaseStatus) => (seen.reshard === null ? null : describeReshard(seen)),
    timeoutMs: seconds * 1_000,
    progress,
    what: `the slots of ${name} are not all where they are to be`,
    command: `valkeeper db reshard show ${name}`,
  }).finally(() => progress.end());
  return untilReady(cli, name, seconds);
}
