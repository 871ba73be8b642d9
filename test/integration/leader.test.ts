/** Control planes' processes that lead in turn, over three real members of etcd, killed and stopped at any moment. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openEtcdStore } from '../../src/store/etcd.ts';
import { sharedEtcd } from '../support/etcd.ts';

const LEASE_MS = 2_000;
/** Beyond the lease, until another leads. */
const LATE_MS = 1_000;
const PREFIX = 'leaders';
const PROCESS = new URL('../support/leader-process.ts', import.meta.url).pathname;
const DEADLINE_MS = 15_000;

interface Line {
  event: 'ready' | 'gained' | 'lost' | 'leader' | 'step' | 'conflict' | 'failed';
  by: string;
  atMs: number;
  term?: number;
  number?: number;
  code?: string;
  loss?: string;
  leads?: boolean;
  leader?: string | null;
}

const shared = sharedEtcd({ members: 3 });
/** What all processes have said, in the order in which it was heard. */
const lines: Line[] = [];
const hearers = new Set<() => void>();
const processes = new Map<string, { child: ChildProcess; exited: Promise<unknown> }>();
after(async () => {
  for (const { child, exited } of processes.values()) {
    child.kill('SIGKILL');
    await exited;
  }
});

async function start(name: string): Promise<void> {
  const args = [PROCESS, shared.etcd.urls.join(','), PREFIX, name, String(LEASE_MS)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  processes.set(name, { child, exited: once(child, 'exit') });
  createInterface({ input: child.stdout }).on('line', (text) => {
    lines.push({ ...(JSON.parse(text) as Line), by: name, atMs: performance.now() });
    for (const hear of hearers) hear();
  });
  await heard(({ event, by }) => event === 'ready' && by === name);
}

/** The first line from position `from` on that is as wanted. */
async function heard(isWanted: (line: Line) => boolean, from = 0): Promise<Line> {
  const { promise, resolve, reject } = Promise.withResolvers<Line>();
  const look = (): void => {
    const found = lines.slice(from).find(isWanted);
    if (found) resolve(found);
  };
  const timer = setTimeout(() => reject(new Error(`not heard: ${isWanted}`)), DEADLINE_MS);
  hearers.add(look);
  look();
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    hearers.delete(look);
  }
}

const lastGained = (): Line => lines.findLast(({ event }) => event === 'gained')!;
const gainedAfter = (from: number): Promise<Line> => heard(({ event }) => event === 'gained', from);

/** Resolves when this leader has taken some steps from now on. */
async function takesSteps({ by, term }: Line): Promise<void> {
  const from = lines.length;
  for (let at = from; at < from + 3; at += 1) {
    await heard((line) => line.event === 'step' && line.by === by && line.term === term, at);
  }
}

/** Every step was taken once, by the leader of its time. */
async function checkSteps(): Promise<void> {
  const store = await openEtcdStore({ urls: shared.etcd.urls, prefix: PREFIX });
  const last = (await store.get<number>('last'))?.value ?? 0;
  const steps: { key: string; value: { by: string; term: number } }[] = [];
  for (let after = ''; ; after = steps.at(-1)!.key) {
    const page = await store.list<{ by: string; term: number }>('steps/', { limit: 1000, after });
    steps.push(...page);
    if (page.length < 1000) break;
  }
  await store.close();
  assert.ok(steps.length >= last && last > 0, `${steps.length} steps of ${last}`);
  steps.forEach(({ key, value }, index) => {
    assert.equal(Number(key.slice('steps/'.length)), index + 1);
    assert.ok(index === 0 || value.term >= steps[index - 1]!.value.term, `${key}: a former leader's`);
  });
  const told = lines.filter(({ event }) => event === 'step').map(({ number }) => number);
  assert.equal(new Set(told).size, told.length, 'no step was taken twice');
}

test('three control planes: one leads, the others see it', async () => {
  await Promise.all(['a', 'b', 'c'].map(start));
  const first = await gainedAfter(0);
  await takesSteps(first);
  for (const name of ['a', 'b', 'c']) await heard(({ by, leader }) => by === name && leader === first.by);
  assert.equal(lines.filter(({ event }) => event === 'gained').length, 1);
});

test('kill -9 of the leader: another leads within the lease and a second', async (t) => {
  const { by, term } = lastGained();
  const from = lines.length;
  const killedMs = performance.now();
  const { child, exited } = processes.get(by)!;
  child.kill('SIGKILL');
  const next = await gainedAfter(from);
  const tookMs = next.atMs - killedMs;
  t.diagnostic(`another leads ${Math.round(tookMs)} ms after kill -9 (lease ${LEASE_MS} ms)`);
  assert.ok(tookMs <= LEASE_MS + LATE_MS, `${Math.round(tookMs)} ms`);
  assert.ok(next.term! > term!);
  await takesSteps(next);
  await exited;
  await start(by);
  await checkSteps();
});

test('a leader that was stopped for longer than its lease does no harm when it wakes', async (t) => {
  const { by, term } = lastGained();
  const from = lines.length;
  const stoppedMs = performance.now();
  const { child } = processes.get(by)!;
  child.kill('SIGSTOP');
  const next = await gainedAfter(from);
  t.diagnostic(`another leads ${Math.round(next.atMs - stoppedMs)} ms after SIGSTOP (lease ${LEASE_MS} ms)`);
  assert.ok(next.atMs - stoppedMs <= LEASE_MS + LATE_MS);
  await takesSteps(next);
  const woken = lines.length;
  child.kill('SIGCONT');
  const refused = await heard((line) => line.by === by && line.event === 'failed' && line.code === 'not_leader', woken);
  assert.deepEqual([refused.term, refused.leads], [term, false]);
  const lost = await heard((line) => line.by === by && line.event === 'lost', woken);
  assert.deepEqual([lost.term, lost.loss], [term, 'lease']);
  // At most it hears now that a step was taken which was under way when it was stopped.
  const theirs = lines.find((line) => line.event === 'step' && line.term === next.term)!.number!;
  const late = lines.slice(woken).filter((line) => line.event === 'step' && line.by === by && line.number! >= theirs);
  assert.deepEqual(late, []);
  await takesSteps(next);
  await checkSteps();
});

test('a leader that is told to stop resigns at once', async (t) => {
  const { by } = lastGained();
  const from = lines.length;
  const toldMs = performance.now();
  const { child, exited } = processes.get(by)!;
  child.kill('SIGTERM');
  const next = await gainedAfter(from);
  const tookMs = next.atMs - toldMs;
  t.diagnostic(`another leads ${Math.round(tookMs)} ms after SIGTERM`);
  assert.ok(tookMs <= LATE_MS, `${Math.round(tookMs)} ms`);
  await exited;
  assert.equal(child.exitCode, 0);
  await start(by);
});

test('the member that leads etcd is stopped for longer than the lease, and goes on later', async (t) => {
  const etcdLeader = await shared.etcd.leader();
  const from = lines.length;
  const stoppedMs = performance.now();
  etcdLeader.pause();
  const step = await heard(({ event, atMs }) => event === 'step' && atMs > stoppedMs + 500, from);
  t.diagnostic(`steps go on ${Math.round(step.atMs - stoppedMs)} ms after a member of etcd was stopped`);
  await sleep(Math.max(0, LEASE_MS + LATE_MS - (performance.now() - stoppedMs))); // its own leases are over then
  etcdLeader.resume();
  await sleep(LATE_MS); // such a member ends leases that were kept elsewhere: whoever led may lead no longer
  await takesSteps(lastGained());
  const changes = lines.slice(from).filter(({ event }) => event === 'gained');
  t.diagnostic(`changes of leader meanwhile: ${changes.length}`);
  await checkSteps();
});
