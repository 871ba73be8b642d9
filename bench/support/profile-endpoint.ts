/**
 * Where the endpoint's processor time goes: attaches to a running process through Node's inspector, profiles it under a
 * load, and prints the functions that used most of it themselves.
 *
 *   node bench/support/profile-endpoint.ts --pid PID --endpoint HOST:PORT
 *       [--load get|set|get-16|set-16|mget|get-1k|...] [--seconds 5] [--top 30] [--fill] [--save FILE.cpuprofile]
 *   node bench/support/profile-endpoint.ts FILE.cpuprofile [--top 30]
 *
 * The database has no password and is filled first with `--fill`. The second form reads what `node --cpu-prof` wrote.
 * The inspector stays open on 127.0.0.1 until that process ends: for development only. It listens on port 9229 unless
 * the process was started with `--inspect-port`; then say `--inspect-port` here too.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { WebSocket } from 'ws';
import { ensureEngine } from '../../src/engine/ensure.ts';
import { type CpuProfile, selfTimes } from './cpu-profile.ts';
import { CLOSED_LOADS, type ClosedLoad } from './endpoint-loads.ts';
import { Bench } from './endpoint-measure.ts';
import { runningEndpoint } from './endpoint-targets.ts';
import { loadProgram } from './load-program.ts';
import { progress } from './report.ts';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    pid: { type: 'string' },
    endpoint: { type: 'string' },
    load: { type: 'string', default: 'get' },
    seconds: { type: 'string', default: '5' },
    top: { type: 'string', default: '30' },
    fill: { type: 'boolean', default: false },
    save: { type: 'string' },
    'inspect-port': { type: 'string', default: '9229' },
  },
});
/** As the benchmark's own: enough for the code to be compiled to its last form. */
const WARM_UP = 0.5;
const INSPECTOR_MS = 5_000;
const POLL_MS = 50;
/** Microseconds between samples. */
const INTERVAL_US = 200;

const [file] = positionals;
const profile = file === undefined ? await profileUnderLoad() : (JSON.parse(readFileSync(file, 'utf8')) as CpuProfile);
if (options.save !== undefined) writeFileSync(options.save, JSON.stringify(profile));
const { busyMs, totalMs, functions } = selfTimes(profile);
process.stdout.write(`busy ${Math.round(busyMs)} of ${Math.round(totalMs)} ms; self time, of the busy time:\n`);
for (const { name, where, selfMs } of functions.slice(0, Number(options.top))) {
  const percent = ((selfMs / busyMs) * 100).toFixed(1).padStart(5);
  process.stdout.write(`${percent} %  ${selfMs.toFixed(0).padStart(6)} ms  ${name}  ${where}\n`);
}

async function profileUnderLoad(): Promise<CpuProfile> {
  const { pid, endpoint } = options;
  if (pid === undefined || endpoint === undefined) throw new Error('needed: --pid and --endpoint, or a file');
  const load = CLOSED_LOADS.find(({ id }) => id === options.load);
  if (!load) throw new Error(`--load is one of ${CLOSED_LOADS.map(({ id }) => id).join(', ')}`);
  const target = runningEndpoint('endpoint', endpoint, pid);
  const bench = new Bench(await loadProgram(await ensureEngine({ env: process.env, onProgress: () => {} })));
  if (options.fill) await bench.fill(target);
  const { perSecond } = await bench.closed(target, load, Math.ceil(load.operations * WARM_UP));
  progress(`${Math.round(perSecond).toLocaleString('en')} operations a second without the profiler`);

  const inspector = await attach(Number(pid));
  await inspector.call('Profiler.enable');
  await inspector.call('Profiler.setSamplingInterval', { interval: INTERVAL_US });
  await inspector.call('Profiler.start');
  const seconds = Number(options.seconds);
  const { cpuUs } = await bench.closed(target, load, operationsFor(load, perSecond * seconds));
  progress(`${cpuUs.toFixed(1)} µs of processor time an operation with it`);
  const { profile } = (await inspector.call('Profiler.stop')) as { profile: CpuProfile };
  inspector.close();
  return profile;
}

function operationsFor({ pipeline }: ClosedLoad, wanted: number): number {
  return Math.ceil(wanted / pipeline) * pipeline;
}

interface Inspector {
  call: (method: string, params?: object) => Promise<unknown>;
  close: () => void;
}

/** Asks the process to open its inspector, and connects to it. @throws Error when it does not, or another process answers */
async function attach(pid: number): Promise<Inspector> {
  process.kill(pid, 'SIGUSR1');
  const socket = new WebSocket(await inspectorUrl());
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  const pending = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>();
  let last = 0;
  socket.on('message', (data) => {
    const { id, result, error } = JSON.parse(String(data)) as {
      id?: number;
      result: unknown;
      error?: { message: string };
    };
    const call = id === undefined ? undefined : pending.get(id);
    if (error) call?.reject(new Error(error.message));
    else call?.resolve(result);
  });
  const inspector: Inspector = {
    call: (method, params = {}) =>
      new Promise((resolve, reject) => {
        last += 1;
        pending.set(last, { resolve, reject });
        socket.send(JSON.stringify({ id: last, method, params }));
      }),
    close: () => socket.close(),
  };
  const answer = (await inspector.call('Runtime.evaluate', { expression: 'process.pid' })) as {
    result: { value: number };
  };
  if (answer.result.value !== pid) throw new Error(`the inspector is that of process ${answer.result.value}`);
  return inspector;
}

async function inspectorUrl(): Promise<string> {
  const deadline = performance.now() + INSPECTOR_MS;
  for (;;) {
    try {
      const response = await fetch(`http://127.0.0.1:${options['inspect-port']}/json/list`);
      const [target] = (await response.json()) as { webSocketDebuggerUrl: string }[];
      return target!.webSocketDebuggerUrl;
    } catch (error) {
      if (performance.now() > deadline) throw new Error('the process opened no inspector', { cause: error });
      await sleep(POLL_MS);
    }
  }
}
