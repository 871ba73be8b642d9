/** When a certificate is renewed. Pure: who renews looks now and then (a clock may jump, a process be held) and asks. */
import type { Validity } from './credentials.ts';

/** From this part of its validity on a certificate is renewed: of 30 days, ten are left for everything that can fail. */
const RENEW_FROM = 2 / 3;
/** Over so much of the validity the renewals of a fleet are spread. */
const SPREAD = 1 / 12;

const LONGEST_RETRY_MS = 3_600_000;
const SHORTEST_RETRY_MS = 1_000;

/**
 * From when on to renew: 2/3 of the validity, and with `jitter` up to 1/12 later; milliseconds since the epoch.
 * @param jitter from 0 to 1, chosen once for a certificate: machines that joined together do not renew together
 */
export function renewAt({ notBefore, notAfter }: Validity, jitter: number): number {
  checkJitter(jitter);
  return notBefore + (notAfter - notBefore) * (RENEW_FROM + SPREAD * jitter);
}

/**
 * How long to wait after renewals that failed, in milliseconds: twice as long each time, up to an hour, but never longer
 * than a tenth of what is left, and half of it at random.
 * @param failures in a row, from 1 on
 * @param jitter from 0 to 1, anew each time
 */
export function retryAfterMs({ notAfter }: Validity, now: number, failures: number, jitter: number): number {
  checkJitter(jitter);
  const doubled = SHORTEST_RETRY_MS * 2 ** Math.min(failures, 20);
  const longest = Math.max(SHORTEST_RETRY_MS, Math.min(LONGEST_RETRY_MS, doubled, (notAfter - now) / 10));
  return longest * (1 - jitter / 2);
}

function checkJitter(jitter: number): void {
  if (!(jitter >= 0 && jitter <= 1)) throw new RangeError(`jitter is from 0 to 1, not ${jitter}`);
}
