/** One change of the number of shards, from the request until the database is ready with it. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../../src/cli/client.ts';
import { ValkeeperError } from '../../src/domain/errors.ts';
import type { Event } from '../../src/domain/event.ts';
import type { DatabaseStatus, ReshardStatus } from '../../src/domain/status.ts';
import type { Random } from '../../test/sim/random.ts';

const SHARDS = [1, 2, 3, 4, 5, 6] as const;
/** How often a person interferes. */
const INTERFERENCE = 1 / 5;
const ACTS_AFTER_MS = { low: 100, high: 1_500 } as const;
const PAUSED_MS = { low: 300, high: 1_500 } as const;
const DEADLINE_MS = 120_000;
const POLL_MS = 50;
const MOST_EVENTS = 1_000;

/** As much of the API as a course needs. */
export type CourseClient = Pick<Client, 'database' | 'update' | 'events' | 'reshard'>;

/** What is to be done. All of it is drawn before anything begins, so that its times do not change what follows. */
export interface Course {
  to: number;
  act: { kind: 'pause' | 'cancel'; afterMs: number; pausedMs: number } | null;
}

export interface Change {
  number: number;
  from: number;
  to: number;
  /** What a person did meanwhile; `too late` when it was over, or all but over. */
  act: 'pause' | 'cancel' | 'too late' | null;
  /** `performance.now()`, of the request and of the moment when the database was seen to be ready. */
  startedAt: number;
  endedAt: number;
  isStuck: boolean;
  /** What was expected; null when nothing was said. */
  estimate: ReshardStatus['estimate'] | null;
  /** By the event of its end; of a cancelled one the way back only. */
  seconds: number | null;
  /** As it was at the end. */
  status: DatabaseStatus;
  /** Of the time that it took. */
  events: Event[];
}

/** Another number of shards, and now and then what a person does in the middle of it. */
export function drawCourse(random: Random, shards: number): Course {
  const to = random.pick(SHARDS.filter((count) => count !== shards));
  const { happens, act } = drawAct(random);
  return { to, act: happens ? act : null };
}

/** What a person does, at the latest so long after the request, and whether it happens. All of it is drawn in any case. */
export function drawAct(
  random: Random,
  latestMs: number = ACTS_AFTER_MS.high,
): { happens: boolean; act: NonNullable<Course['act']> } {
  const happens = random.chance(INTERFERENCE);
  const kind = random.pick(['pause', 'cancel'] as const);
  const afterMs = Math.round(random.between(ACTS_AFTER_MS.low, latestMs));
  const pausedMs = Math.round(random.between(PAUSED_MS.low, PAUSED_MS.high));
  return { happens, act: { kind, afterMs, pausedMs } };
}

/** Runs it, for so long at most. @throws ValkeeperError when it is refused */
export async function runCourse(
  client: CourseClient,
  name: string,
  number: number,
  { to, act }: Course,
  deadlineMs: number = DEADLINE_MS,
): Promise<Change> {
  const { spec } = await client.database(name);
  const seen = (await client.events({ database: name, limit: 1 })).events.at(-1)?.seq ?? 0;
  const startedAt = performance.now();
  const asked = await client.update(name, { shards: to });
  const over = new AbortController();
  const acting = act === null ? Promise.resolve(null) : interfere(client, name, act, over.signal);
  const { status, ...course } = await untilOver(client, name, asked, acting, over, deadlineMs);
  const { events } = await client.events({ database: name, after: seen, limit: MOST_EVENTS });
  const seconds = events.findLast(({ kind }) => kind === 'reshard_done')?.details?.['seconds'];
  return {
    ...{ number, from: spec.shards, to, act: await acting, startedAt, ...course, status, events },
    isStuck: !isOver(status),
    seconds: typeof seconds === 'number' ? seconds : null,
  };
}

/** The signal says that there is nothing to interfere with any more. */
async function interfere(
  client: CourseClient,
  name: string,
  act: NonNullable<Course['act']>,
  signal: AbortSignal,
): Promise<Change['act']> {
  await sleep(act.afterMs, null, { signal }).catch(() => {});
  if (signal.aborted || !(await does(client, name, act.kind))) return 'too late';
  if (act.kind === 'cancel') return 'cancel';
  await sleep(act.pausedMs, null, { signal }).catch(() => {});
  await does(client, name, 'resume'); // in vain when the job that ran was the last
  return 'pause';
}

/** False when it is over, or all but over. */
async function does(client: CourseClient, name: string, action: 'pause' | 'resume' | 'cancel'): Promise<boolean> {
  try {
    await client.reshard(name, { action });
    return true;
  } catch (error) {
    if (error instanceof ValkeeperError && (error.code === 'no_reshard' || error.code === 'reshard_refused')) {
      return false;
    }
    throw error;
  }
}

/** Until nothing moves, also after what is done meanwhile, and the database is ready as it was asked for. */
async function untilOver(
  client: CourseClient,
  name: string,
  asked: DatabaseStatus,
  acting: Promise<unknown>,
  over: AbortController,
  deadlineMs: number,
): Promise<Pick<Change, 'estimate' | 'endedAt' | 'status'>> {
  acting.catch(() => {}); // thrown where it is awaited
  const deadline = performance.now() + deadlineMs;
  let status = asked;
  let estimate = asked.reshard?.estimate ?? null;
  let overAt: number | null = null;
  while (performance.now() < deadline) {
    status = await client.database(name);
    estimate ??= status.reshard?.estimate ?? null;
    if (isOver(status) && status.generation >= asked.generation) {
      overAt ??= performance.now();
      if (over.signal.aborted) break;
      over.abort();
      await acting; // then another look: it may have come in time
      continue;
    }
    overAt = null;
    await sleep(POLL_MS);
  }
  await acting;
  return { estimate, endedAt: overAt ?? performance.now(), status };
}

const isOver = ({ reshard, state, generation, observedGeneration, spec, shards }: DatabaseStatus): boolean =>
  reshard === null && state === 'ready' && observedGeneration >= generation && shards.length === spec.shards;
