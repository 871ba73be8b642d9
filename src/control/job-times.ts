/** What a job of slot migration costs on these machines beside its keys and bytes: learnt from each reshard, for the next estimate. */
import type { JobPace, Reshard } from '../domain/reshard.ts';
import { JOB_SECONDS, measuredJobSeconds } from '../plan/reshard-estimate.ts';

/** One reshard of so many jobs says as much as all before it: what else takes time in it counts less then. */
const JOBS_OF_WEIGHT = 8;

export class JobTimes {
  /** Those of some paces go to the engine together, and those of others one by one. */
  readonly #seconds: Record<JobPace, number> = { fast: JOB_SECONDS, gentle: JOB_SECONDS, quiet: JOB_SECONDS };

  secondsOf(pace: JobPace): number {
    return this.#seconds[pace];
  }

  /** One is over that nobody held up. @param seconds that it took */
  note(reshard: Reshard, seconds: number): void {
    const measured = measuredJobSeconds(reshard, seconds);
    if (measured === null) return;
    const { jobs, pace } = reshard.estimate;
    const share = jobs / (jobs + JOBS_OF_WEIGHT);
    this.#seconds[pace] = share * measured + (1 - share) * this.#seconds[pace];
  }
}
