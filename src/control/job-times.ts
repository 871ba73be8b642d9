/** What a job of slot migration costs on these machines beside its keys and bytes: learnt from each reshard, for the next estimate. */
import type { Reshard } from '../domain/reshard.ts';
import type { Pace } from '../domain/spec.ts';
import { JOB_SECONDS, measuredJobSeconds } from '../plan/reshard-estimate.ts';

/** One reshard of so many jobs says as much as all before it: what else takes time in it counts less then. */
const JOBS_OF_WEIGHT = 8;

export class JobTimes {
  /** Those of one pace go to the engine together, and those of the other one by one. */
  readonly #seconds: Record<Pace, number> = { fast: JOB_SECONDS, gentle: JOB_SECONDS };

  secondsOf(pace: Pace): number {
    return this.#seconds[pace];
  }

  /** One is over that nobody held up. @param seconds that it took */
  note(reshard: Reshard, pace: Pace, seconds: number): void {
    const measured = measuredJobSeconds(reshard, seconds);
    if (measured === null) return;
    const { jobs } = reshard.estimate;
    const share = jobs / (jobs + JOBS_OF_WEIGHT);
    this.#seconds[pace] = share * measured + (1 - share) * this.#seconds[pace];
  }
}
