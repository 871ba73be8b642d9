/** What a benchmark starts is gone afterwards, whatever happens. */

/** The clean-ups of what is started, as a test has them. */
export interface Stage {
  after: (clean: () => unknown) => void;
}

export const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
/** As a shell has it for a program that was interrupted. */
const INTERRUPTED = 130;

/** Does the work, and cleans up: also when it fails, and when a signal ends it early, which may come twice. */
export async function onStage(work: (stage: Stage) => Promise<void>): Promise<void> {
  const cleanUps: (() => unknown)[] = [];
  const clear = async (): Promise<void> => {
    for (const clean of cleanUps.splice(0).reverse()) await clean();
  };
  const interrupted = (): void => void clear().finally(() => process.exit(INTERRUPTED));
  for (const signal of SIGNALS) process.on(signal, interrupted);
  try {
    await work({ after: (clean) => cleanUps.push(clean) });
  } finally {
    await clear();
    for (const signal of SIGNALS) process.off(signal, interrupted);
  }
}
