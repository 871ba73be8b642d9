/** Asks a control plane what time it is. */
import { get as getPlain } from 'node:http';
import { get as getSecure } from 'node:https';
import { timeInDateHeader } from '../trust/clock-offset.ts';
import type { ClockFacts } from './facts.ts';

const TIMEOUT_MS = 3_000;

/** The time in the `Date` of its answer, whatever that is; a problem in words when it does not answer. */
export function askTime(server: string): Promise<ClockFacts> {
  return new Promise((resolve) => {
    const askedAt = Date.now();
    // Whether its certificate is right is not asked here: with a clock that is off it would seem wrong.
    const options = { timeout: TIMEOUT_MS, rejectUnauthorized: false, agent: false as const };
    const request = (server.startsWith('https:') ? getSecure : getPlain)(server, options, (response) => {
      const theirs = timeInDateHeader(response.headers.date);
      response.destroy();
      if (theirs === null) resolve({ server, problem: 'its answer tells no time' });
      else resolve({ server, reading: { theirs, askedAt, answeredAt: Date.now() } });
    });
    request.on('timeout', () => request.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)));
    request.on('error', (error) => resolve({ server, problem: error.message }));
  });
}
