/** One clock for all processes of this host, in milliseconds: monotonic, whatever network namespace they are in. */
export const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;
