/** What the programs that make load say about it. */

/** What `valkey-benchmark` found; times in microseconds, from sending a command to its reply. */
export interface BenchmarkResult {
  perSecond: number;
  p50: number;
  p99: number;
  max: number;
}

/** The last line of `valkey-benchmark --csv`. @throws Error when there is none */
export function parseBenchmark(stdout: string): BenchmarkResult {
  const figure = '"(\\d+(?:\\.\\d+)?)"';
  const rows = [...stdout.matchAll(new RegExp(`^.*",${Array.from({ length: 7 }, () => figure).join(',')}\\s*$`, 'gm'))];
  const [perSecond = 0, , , p50, , p99, max] = (rows.at(-1) ?? []).slice(1).map(Number);
  if (!(perSecond > 0)) throw new Error(`valkey-benchmark gave no figures:\n${stdout}`);
  return { perSecond, p50: p50! * 1000, p99: p99! * 1000, max: max! * 1000 };
}

/** What a load at a fixed rate found; times in microseconds. */
export interface RateResult {
  p50: number;
  p99: number;
  max: number;
  /** Of all commands, those before the measured time included. */
  operations: number;
  perSecond: number;
  /** By how much commands were late because the load program itself was: 99 % of them by less. */
  lateP99: number;
}

/** The one line of JSON that `rate-process.ts` prints. @throws Error for anything else */
export function parseRate(stdout: string): RateResult {
  const result = JSON.parse(stdout) as Record<keyof RateResult, unknown>;
  for (const name of ['p50', 'p99', 'max', 'operations', 'perSecond', 'lateP99'] as const) {
    if (typeof result[name] !== 'number') throw new Error(`the load program told no ${name}: ${stdout}`);
  }
  return result as RateResult;
}

/** `host:port`, `redis://host:port`, or an object of both. @throws Error for anything else */
export function parseAddress(value: unknown): { host: string; port: number } {
  if (typeof value === 'object' && value !== null && 'host' in value && 'port' in value) {
    return { host: String(value.host), port: Number(value.port) };
  }
  const found = /^(?:rediss?:\/\/)?(?:[^@/]*@)?\[?([^@/[\]]+)\]?:(\d+)(?:\/\d*)?$/.exec(String(value));
  if (!found) throw new Error(`not an address: ${JSON.stringify(value)}`);
  return { host: found[1]!, port: Number(found[2]) };
}
