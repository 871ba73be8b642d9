/** What a profile of V8's tells: how long each function ran itself. */

export interface CpuProfile {
  nodes: {
    id: number;
    callFrame: { functionName: string; url: string; lineNumber: number };
  }[];
  /** The node that ran at each sample, and the microseconds before it. */
  samples: number[];
  timeDeltas: number[];
}

export interface SelfTime {
  name: string;
  /** The end of the file's path, and the line; empty for what is not of a file. */
  where: string;
  selfMs: number;
}

const IDLE = new Set(['(idle)', '(root)']);
const PATH_PARTS = 3;

/** The functions by the time that they used themselves, largest first; waiting is left out. */
export function selfTimes({ nodes, samples, timeDeltas }: CpuProfile): {
  totalMs: number;
  busyMs: number;
  functions: SelfTime[];
} {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const byFunction = new Map<string, SelfTime>();
  let totalMs = 0;
  let busyMs = 0;
  for (const [index, id] of samples.entries()) {
    // A sample stands for the time until the next one.
    const elapsedMs = Math.max(0, timeDeltas[index + 1] ?? 0) / 1000;
    const { functionName, url, lineNumber } = frames.get(id)!;
    totalMs += elapsedMs;
    if (IDLE.has(functionName)) continue;
    busyMs += elapsedMs;
    const where = url === '' ? '' : `${url.split('/').slice(-PATH_PARTS).join('/')}:${lineNumber + 1}`;
    const name = functionName || '(anonymous)';
    const found = byFunction.get(`${name} ${where}`) ?? { name, where, selfMs: 0 };
    found.selfMs += elapsedMs;
    byFunction.set(`${name} ${where}`, found);
  }
  const functions = [...byFunction.values()].sort((a, b) => b.selfMs - a.selfMs);
  return { totalMs, busyMs, functions };
}
