/** Does what a fault says, and ends it. */
import { execFile } from 'node:child_process';
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { cut, limitBandwidth, mend } from '../../support/net-faults.ts';
import type { Stage } from '../stage.ts';
import type { FaultName } from './names.ts';
import { NothingToHit } from './nothing-to-hit.ts';
import type { Target } from './target.ts';

type End = () => Promise<void> | void;

const LOST_PERCENT = 20;
const SLOW_MEGABITS = 1;
const CLOCK_STEP_SECONDS = [-240, -90, 90, 240];
const FILLER = 'filler';
/** Taken at once; others write there, too, so that not all of it can be. */
const MOST = 0.95;
const CHUNK = Buffer.alloc(4_096);
const DYING_MS = 5_000;

/** Begins a fault. The end may be called once. @throws NothingToHit */
export async function beginFault(name: FaultName, target: Target, stage: Stage, pick: number): Promise<End> {
  const machine = target.machine ?? '';
  switch (name) {
    case 'kill-primary':
    case 'kill-replica':
      signal(stage.nodePid(target.copy!), 'SIGKILL');
      return () => {};
    case 'stop-primary':
    case 'stop-replica':
      return stopped(stage.nodePid(target.copy!));
    case 'kill-agent':
      signal(stage.agentPid(machine), 'SIGKILL');
      return () => stage.startAgent(machine);
    case 'stop-agent':
      return stopped(stage.agentPid(machine));
    case 'kill-endpoint':
      signal(stage.endpointPid(machine), 'SIGKILL');
      return () => {};
    case 'stop-endpoint':
      return stopped(stage.endpointPid(machine));
    case 'kill-server':
      signal(stage.serverPid, 'SIGKILL');
      return () => stage.startServer();
    case 'stop-server':
      return stopped(stage.serverPid);
    case 'cut-machine':
      return cutOff(stage.host(machine), {});
    case 'cut-outgoing':
      return cutOff(stage.host(machine), { outgoing: true });
    case 'cut-incoming':
      return cutOff(stage.host(machine), { incoming: true });
    case 'cut-pair':
      return cutOff(stage.host(machine), { with: [stage.host(target.other!)] });
    case 'cut-server':
      return cutOff(stage.serverHost, {});
    case 'lose-packets':
      return cutOff(stage.host(machine), { incoming: true, percent: LOST_PERCENT });
    case 'slow-network':
      await limitBandwidth(stage.host(machine), SLOW_MEGABITS);
      return () => mend(stage.host(machine));
    case 'lose-power':
      stage.host(machine).losePower();
      return async () => {
        await stage.startAgent(machine);
        await stage.startClients(machine);
      };
    case 'step-clock': {
      const step = CLOCK_STEP_SECONDS[Math.floor(pick * 997) % CLOCK_STEP_SECONDS.length]!;
      stage.setClock(step);
      return () => stage.setClock(0);
    }
    case 'fill-disk':
      return fill(stage.dataDir(machine));
    case 'damage-log':
    case 'cut-log':
    case 'damage-snapshot':
    case 'cut-nodes-conf':
      return damage(name, target, stage, pick);
  }
}

/** @throws NothingToHit when the process has ended */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    throw new NothingToHit(`process ${pid} does not run`);
  }
}

function stopped(pid: number): End {
  signal(pid, 'SIGSTOP');
  return () => {
    try {
      signal(pid, 'SIGCONT');
    } catch {
      // it was killed meanwhile, by whoever takes a stopped process for dead
    }
  };
}

async function cutOff(host: Parameters<typeof cut>[0], how: Parameters<typeof cut>[1]): Promise<End> {
  await cut(host, how);
  return () => mend(host);
}

async function fill(dir: string): Promise<End> {
  const { type, bavail, bsize } = statfsSync(dir);
  if (type === statfsSync('/').type) throw new Error(`${dir} has no disk of its own`);
  const path = join(dir, FILLER);
  await promisify(execFile)('fallocate', ['--length', `${Math.floor(bavail * MOST) * bsize}`, path]);
  const file = openSync(path, 'a');
  try {
    for (;;) writeSync(file, CHUNK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  } finally {
    closeSync(file);
  }
  return () => rmSync(path, { force: true });
}

async function damage(name: FaultName, { copy, machine }: Target, stage: Stage, pick: number): Promise<End> {
  const path = fileOf(name, stage.nodeDir(copy!));
  const pid = stage.nodePid(copy!);
  signal(stage.agentPid(machine!), 'SIGKILL');
  signal(pid, 'SIGKILL');
  await gone(pid);
  const size = statSync(path).size;
  if (name === 'cut-log' || name === 'cut-nodes-conf') truncateSync(path, Math.floor(size / 2));
  else flip(path, Math.floor(pick * size));
  return () => stage.startAgent(machine!);
}

/** @throws NothingToHit when the node has no such file with something in it */
function fileOf(name: FaultName, dir: string): string {
  const logs = join(dir, 'appendonlydir');
  const inLogs = (ending: string): string[] =>
    existsSync(logs)
      ? readdirSync(logs)
          .filter((file) => file.endsWith(ending))
          .map((file) => join(logs, file))
      : [];
  const files =
    name === 'cut-nodes-conf'
      ? [join(dir, 'nodes.conf')]
      : name === 'damage-snapshot'
        ? [...inLogs('.base.rdb'), join(dir, 'dump.rdb')]
        : inLogs('.incr.aof').sort();
  const found = files.filter((file) => existsSync(file) && statSync(file).size > 1).at(-1);
  if (found === undefined) throw new NothingToHit(`${dir} has no file to damage`);
  return found;
}

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at]! ^= 0xff;
  writeFileSync(path, bytes);
}

async function gone(pid: number): Promise<void> {
  const deadline = performance.now() + DYING_MS;
  const runs = (): boolean => existsSync(`/proc/${pid}`) && !/^State:\tZ/m.test(statusOf(pid));
  while (runs()) {
    if (performance.now() > deadline) throw new Error(`process ${pid} does not end`);
    await sleep(10);
  }
}

function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return 'State:\tZ';
  }
}
