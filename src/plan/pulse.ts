/**
 * Whether a process lives, seen from its own machine: it is asked for a sign of life again and again, and when it gives
 * none, what the kernel says of it tells stopped, hung, busy and waiting for its disk apart. Pure: times are milliseconds
 * of a monotonic clock, and what was seen is an argument.
 *
 *     asked ── answered ──> well, loading or busy
 *       └──── no answer: looked at ──> stopped, hung, busy, disk or silent ── long enough ──> told; ended, if that is safe
 */
import type { PulseState } from '../domain/view.ts';

export const PULSE_TIMES = {
  /** A sign of life is asked for again so long after the last time. */
  askMs: 500,
  /** What gave none is looked at so often. */
  lookMs: 250,
  /** A look of ours that comes so long after the one before proves that we were held up ourselves: it all begins anew. */
  heldUpMs: 1_000,
  /** A node counts as well again, and that is told, after giving signs of life for so long. */
  calmMs: 2_000,
  /** Who was ended for a state is not ended for it again before so long, */
  onceInMs: 60_000,
  /** unless it has been well for so long in between. */
  wellBetweenMs: 10_000,
  /** Whether the shard could do without it is asked again so long after a no. */
  askAgainMs: 1_000,
} as const;

/** What is done about a state, once it has lasted so long, in ms; null: never. */
export interface PulseRule {
  /** It is told to the control plane. */
  tellMs: number;
  /** The process is ended when a replica can take its place. */
  endPrimaryMs: number | null;
  /** The process of a replica is ended when its primary answers; it is started again then. */
  endReplicaMs: number | null;
}

const PULSE_RULES: Readonly<Record<PulseState, PulseRule>> = {
  well: { tellMs: 0, endPrimaryMs: null, endReplicaMs: null },
  loading: { tellMs: 3_000, endPrimaryMs: null, endReplicaMs: null },
  busy: { tellMs: 5_000, endPrimaryMs: null, endReplicaMs: null },
  silent: { tellMs: 5_000, endPrimaryMs: null, endReplicaMs: null },
  stopped: { tellMs: 2_000, endPrimaryMs: 2_000, endReplicaMs: 30_000 },
  hung: { tellMs: 3_000, endPrimaryMs: 3_000, endReplicaMs: 30_000 },
  disk: { tellMs: 3_000, endPrimaryMs: 15_000, endReplicaMs: 60_000 },
};

/** What the kernel says of a process; as in src/platform/process-look.ts. */
export interface Look {
  state: string;
  cpuMs: number;
  sleeps: number;
}

/** What would become of the shard if the process ended: another takes over, it is only a copy less, or it would be missed. */
export type IfEnded = 'replaced' | 'spared' | 'missed';

/** What is known of one process. */
export interface Pulse {
  state: PulseState;
  /** Since when, for certain. */
  since: number;
  /** The oldest question that has no answer; null when all have one. */
  unansweredSince: number | null;
  /** Since when every question was answered in time, the last one too; null while one is open for long. */
  answeringSince: number | null;
  /** The look before, in the same silence. */
  look: (Look & { at: number }) | null;
  /** What was told last. */
  told: { state: PulseState; since: number };
  /** For which state its process was ended, and when; a new process inherits it. */
  ended: { state: PulseState; at: number } | null;
}

/** Of a process that has just been seen to run. */
export const newPulse = (now: number, ended: Pulse['ended'] = null): Pulse => ({
  state: 'well',
  since: now,
  unansweredSince: null,
  answeringSince: now,
  look: null,
  told: { state: 'well', since: now },
  ended,
});

/** A question was sent. */
export const asked = (pulse: Pulse, now: number): Pulse => ({
  ...pulse,
  unansweredSince: pulse.unansweredSince ?? now,
});

/** It gave a sign of life: what it says of itself. */
export function answered(pulse: Pulse, says: 'well' | 'loading' | 'busy', now: number): Pulse {
  const entered = enter(pulse, says, now);
  const recovered = says === 'well' && now - entered.since >= PULSE_TIMES.wellBetweenMs;
  return {
    ...entered,
    unansweredSince: null,
    answeringSince: pulse.answeringSince ?? now,
    look: null,
    ended: recovered ? null : pulse.ended,
  };
}

/** We were held up ourselves, and know nothing of the time in between. */
export const begunAnew = (pulse: Pulse, now: number): Pulse => ({
  ...pulse,
  state: 'well',
  since: now,
  unansweredSince: pulse.unansweredSince === null ? null : now,
  answeringSince: pulse.unansweredSince === null ? now : null,
  look: null,
});

/** It has been silent for at least one interval of looks, and this is what it does. */
export function looked(pulse: Pulse, look: Look, now: number): Pulse {
  if (pulse.unansweredSince === null) return pulse;
  const seen = judge(pulse, look, now);
  const entered = seen ? enter(pulse, seen.state, seen.from) : pulse;
  return { ...entered, answeringSince: null, look: { ...look, at: now } };
}

/** Of processor time, in a hundred: one that uses so much works. */
const WORKING_PERCENT = 20;

/** The state, and from when on it was that at the latest; null when one look does not tell. */
function judge(
  { look: before, unansweredSince }: Pulse,
  look: Look,
  now: number,
): { state: PulseState; from: number } | null {
  // Nothing was seen of the time before the first look, but whatever it is has kept it from answering all the while.
  const from = before ? now : unansweredSince!;
  if (look.state === 'T' || look.state === 't') return { state: 'stopped', from };
  if (look.state === 'D') return { state: 'disk', from };
  if (!before) return look.state === 'R' ? { state: 'busy', from } : null;
  return { state: between(before, look, now - before.at), from: before.at };
}

/** What two looks at a process that neither is stopped nor waits for its disk tell of the time in between. */
function between(before: Look, look: Look, elapsedMs: number): PulseState {
  const usedMs = look.cpuMs - before.cpuMs;
  if (usedMs * 100 >= elapsedMs * WORKING_PERCENT) return 'busy';
  if (look.sleeps > before.sleeps) return 'silent';
  // One that is ready to run and gets no processor counts as busy, too.
  return look.state === 'R' || usedMs > 0 ? 'busy' : 'hung';
}

const enter = (pulse: Pulse, state: PulseState, at: number): Pulse =>
  pulse.state === state ? pulse : { ...pulse, state, since: at };

/** What is to be told from now on, since what holds has held long enough; the very same pulse when that is as before. */
export function withTold(pulse: Pulse, now: number): Pulse {
  const { state, since, told, answeringSince } = pulse;
  if (state === told.state && (state === 'well' || since === told.since)) return pulse;
  const calm = answeringSince !== null && now - answeringSince >= PULSE_TIMES.calmMs;
  const holds = state === 'well' ? calm : now - since >= PULSE_RULES[state].tellMs;
  return holds ? { ...pulse, told: { state, since } } : pulse;
}

/** Whether the process is to be ended now, if that is what becomes of its shard. */
export function isToBeEnded(pulse: Pulse, ifEnded: IfEnded, now: number): boolean {
  const { endPrimaryMs, endReplicaMs } = PULSE_RULES[pulse.state];
  const afterMs = { replaced: endPrimaryMs, spared: endReplicaMs, missed: null }[ifEnded];
  return afterMs !== null && now - pulse.since >= afterMs && mayBeEndedAgain(pulse, now);
}

/** Its process was ended, for the state it is in. */
export const ended = (pulse: Pulse, now: number): Pulse => ({ ...pulse, ended: { state: pulse.state, at: now } });

/** No flapping: what did not help a moment ago is not tried again at once. */
function mayBeEndedAgain({ ended, state }: Pulse, now: number): boolean {
  return ended === null || ended.state !== state || now - ended.at >= PULSE_TIMES.onceInMs;
}
