/** Three servers over three members of etcd, with real agents and nodes: what is killed or stopped while they work. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { Event } from '../../src/domain/event.ts';
import { eventually, LEASE_MS, type ServerProcess, type SeveralServers, startServers } from '../support/servers.ts';
import { startLoad } from '../support/write-load.ts';

/** Another leads within the lease and a second; the rest is for a machine that is busy with other things. */
const LATE_MS = 1_000;
const NOISE_MS = 4_000;
const SPEC = { memoryBytes: 96 * 1024 ** 2, persistence: 'none', auth: false };

const othersThan = (fleet: SeveralServers, one: ServerProcess): ServerProcess[] =>
  fleet.all.filter((server) => server !== one);

async function create(server: ServerProcess, name: string, spec: object): Promise<void> {
  const response = await server.call('POST', '/v1/databases', { name, spec: { ...SPEC, ...spec } });
  assert.equal(response.status, 201, await response.text());
}

const isReady = (server: ServerProcess, name: string): Promise<void> =>
  eventually(`${name} is ready`, async () => (await server.database(name)).state === 'ready');

/** Resolves when another than `former` leads, with how long that took from now on. */
async function anotherLeads(
  among: readonly ServerProcess[],
  former: ServerProcess,
): Promise<{ leader: ServerProcess; tookMs: number }> {
  const startedMs = performance.now();
  let leader: ServerProcess | undefined;
  await eventually('another leads', async () => {
    const answers = await Promise.all(among.map((server) => server.call('GET', '/v1/status').catch(() => null)));
    leader = among.find(
      (_, index) =>
        answers[index]?.ok &&
        !answers[index].headers.has('valkeeper-leader') &&
        !answers[index].headers.has('valkeeper-stale'),
    );
    for (const answer of answers) await answer?.body?.cancel();
    return leader !== undefined && leader !== former;
  });
  return { leader: leader!, tookMs: performance.now() - startedMs };
}

/** All nodes that were ever made, each with how often its process was started. */
const startsOf = (fleet: SeveralServers): Map<string, number> =>
  new Map(
    fleet.all
      .flatMap((server) => server.nodeFolders())
      .map((folder) => {
        const log = readFileSync(join(folder, 'valkey.log'), 'utf8');
        return [folder, log.match(/oO0OoO0OoO0Oo Valkey is starting/g)?.length ?? 0];
      }),
  );

/** Resolves when something of this database is on disk, but not all of it. */
const begun = (fleet: SeveralServers, before: number): Promise<void> =>
  eventually('the first node', async () => fleet.all.flatMap((server) => server.nodeFolders()).length > before);

const checkNumbers = (events: readonly Event[]): void => {
  events.forEach(({ seq }, index) => {
    assert.equal(seq, events[0]!.seq + index, 'a number is missing, or twice');
  });
};

test('several servers', async (t) => {
  const fleet = await startServers(t);
  await create(fleet.all[0]!, 'main', { shards: 3, replicas: 1 });
  await isReady(fleet.all[1]!, 'main');
  const { port } = (await fleet.all[0]!.database('main')).spec;

  await t.test('one leads; the others pass on, whoever is asked', () => passingOn(fleet));
  await t.test('kill -9 of the leader while a database is being created', (s) => killLeader(s, fleet, port));
  await t.test('a leader that was stopped and wakes does no harm', (s) => stopLeader(s, fleet));
  await t.test('kill -9 of the etcd member that leads', (s) => killMember(s, fleet, port));
  await t.test('without a majority of etcd records are no answer, and nothing is changed', (s) =>
    loseStore(s, fleet, port),
  );
});

async function passingOn(fleet: SeveralServers): Promise<void> {
  const leader = await fleet.leader();
  const follower = othersThan(fleet, leader)[0]!;
  const response = await follower.call('GET', '/v1/databases/main');
  assert.equal(response.headers.get('valkeeper-leader'), leader.url);
  assert.equal(response.headers.get('etag'), '"1"');
  assert.equal(((await response.json()) as { state: string }).state, 'ready');
  const refused = await follower.call('POST', '/v1/databases', { name: 'main' });
  assert.equal(refused.status, 409, 'what the leader refuses is passed on as well');
  await refused.body?.cancel();
  const tooMuch = await follower.call('POST', '/v1/databases', { name: 'x'.repeat(70_000) });
  assert.equal(tooMuch.status, 413);
  const strange = await fetch(`${follower.url}/v1/databases`, { headers: { authorization: 'Bearer wrong' } });
  assert.equal(strange.status, 401);
  const stop = await follower.call('POST', '/v1/shutdown', { loseUnsavedData: true });
  assert.deepEqual([stop.status, ((await stop.json()) as { code: string }).code], [422, 'several_servers']);
  const { servers } = await follower.status();
  assert.deepEqual([servers.store, servers.storeProblem, servers.leader], ['etcd', null, leader.url]);
  await eventually('all servers are listed', async () => (await follower.status()).servers.all.length === 3);
  const text = await follower.cli('status');
  assert.ok(text.includes(`${leader.url} leads in term ${servers.term}.`), text);
  for (const { url } of fleet.all) assert.ok(text.includes(url), text);
  assert.match(text, /The store \(etcd\) answers\./);
}

async function killLeader(t: TestContext, fleet: SeveralServers, port: number): Promise<void> {
  const former = await fleet.leader();
  const others = othersThan(fleet, former);
  const load = await startLoad(t, others[0]!.address, port);
  const stream = await others[0]!.call('GET', '/v1/events/stream');
  const follower = followEvents(t, others[0]!);
  const before = fleet.all.flatMap((server) => server.nodeFolders()).length;
  await create(others[0]!, 'second', { shards: 3, replicas: 1 });
  await begun(fleet, before);
  await former.kill();
  const next = anotherLeads(others, former);
  await assert.rejects(async () => {
    for await (const _ of stream.body!);
  }, 'a stream of events that was passed on is cut off, so that its reader comes again');
  await checkLeaderless(others);
  const { tookMs } = await next;
  t.diagnostic(`another leads ${Math.round(tookMs)} ms after kill -9 of the leader (lease ${LEASE_MS} ms)`);
  assert.ok(tookMs <= LEASE_MS + LATE_MS + NOISE_MS, `${tookMs} ms`);
  await isReady(others[1]!, 'second');
  const { acknowledged, failed, firstFailure, longestGapMs } = await load.end();
  t.diagnostic(`${acknowledged} writes meanwhile, ${failed} failed, longest gap of a client ${longestGapMs} ms`);
  assert.equal(failed, 0, `the data path needs no control plane: ${firstFailure}`);

  const starts = startsOf(fleet);
  assert.equal(starts.size, before + 6, 'six nodes of the second database, and no more');
  assert.deepEqual(
    [...starts.values()].filter((count) => count !== 1),
    [],
    'no process was started twice',
  );
  const events = await others[0]!.events();
  checkNumbers(events);
  const created = events.filter(({ kind, details }) => kind === 'step_done' && details?.['step'] === 'create_node');
  assert.equal(new Set(created.map(({ node }) => node)).size, created.length, 'no node was created twice');
  assert.equal(events.filter(({ kind }) => kind === 'leader_elected').length, 2);
  // A reader of events went over from one leader to the other: every event once, in order.
  await eventually('the last event is read', async () => follower.seen.at(-1)?.seq === events.at(-1)!.seq);
  checkNumbers(follower.seen);
  assert.ok(follower.seen.some(({ kind }) => kind === 'leader_elected'));
  await former.start();
}

/** `valkeeper events --follow`, with what it has printed. */
function followEvents(t: TestContext, server: ServerProcess): { seen: Event[] } {
  const child = server.spawnCli('events', '--follow', '--json');
  t.after(() => child.kill());
  const seen: Event[] = [];
  createInterface({ input: child.stdout! }).on('line', (line) => seen.push(JSON.parse(line) as Event));
  return { seen };
}

/** Between two leaders: the records are told, as what they are; changes are refused, with when to come again. */
async function checkLeaderless(servers: readonly ServerProcess[]): Promise<void> {
  const [server] = servers;
  const read = await server!.call('GET', '/v1/databases/main');
  const found = (await read.json()) as { state: string; spec: { shards: number } };
  assert.equal(read.status, 200);
  assert.equal(read.headers.get('valkeeper-stale'), 'no server leads');
  assert.deepEqual([found.spec.shards, found.state], [3, 'degraded']);
  const history = await server!.call('GET', '/v1/events?limit=3');
  assert.equal(((await history.json()) as { events: unknown[] }).events.length, 3);
  const write = await server!.call('DELETE', '/v1/databases/main');
  const problem = (await write.json()) as { code: string };
  assert.deepEqual([write.status, problem.code, write.headers.get('retry-after')], [503, 'no_leader', '2']);
}

async function stopLeader(t: TestContext, fleet: SeveralServers): Promise<void> {
  const former = await fleet.leader();
  const others = othersThan(fleet, former);
  const before = fleet.all.flatMap((server) => server.nodeFolders()).length;
  await create(former, 'third', { shards: 3, replicas: 0 });
  await begun(fleet, before);
  former.signal('SIGSTOP');
  const { leader, tookMs } = await anotherLeads(others, former);
  t.diagnostic(`another leads ${Math.round(tookMs)} ms after SIGSTOP of the leader (lease ${LEASE_MS} ms)`);
  assert.ok(tookMs <= LEASE_MS + LATE_MS + NOISE_MS, `${tookMs} ms`);
  await isReady(leader, 'third');
  const logged = former.log().length;
  former.signal('SIGCONT');
  await eventually('the former leader knows', async () => (await former.status()).servers.leader === leader.url);
  await pause(500); // what it had begun would be done by now
  const woken = former.log().slice(logged);
  assert.match(woken, /Leads no longer/);
  assert.match(woken, /"code":"not_leader"/, 'what it still wanted to write was refused');
  const starts = startsOf(fleet);
  assert.equal(starts.size, before + 3);
  assert.deepEqual(
    [...starts.values()].filter((count) => count !== 1),
    [],
    'no process was started twice',
  );
  const events = await leader.events();
  checkNumbers(events);
  const elected = events.findLastIndex(({ kind }) => kind === 'leader_elected');
  assert.equal(events[elected]!.details!['server'], leader.url);
  assert.deepEqual(
    events.slice(elected).filter(({ kind }) => kind === 'machine_lost'),
    [],
    'agents stay with the new one',
  );
}

async function killMember(t: TestContext, fleet: SeveralServers, port: number): Promise<void> {
  const member = await fleet.etcd.leader();
  const load = await startLoad(t, fleet.all[0]!.address, port);
  const killedMs = performance.now();
  await member.kill();
  const asked = fleet.all[0]!;
  await eventually('a change is taken', async () => (await asked.call('DELETE', '/v1/databases/third')).status === 202);
  t.diagnostic(`a change is taken ${Math.round(performance.now() - killedMs)} ms after kill -9 of etcd's leader`);
  await eventually('third is gone', async () => (await asked.call('GET', '/v1/databases/third')).status === 404);
  assert.equal((await load.end()).failed, 0);
  await member.start();
}

async function loseStore(t: TestContext, fleet: SeveralServers, port: number): Promise<void> {
  const load = await startLoad(t, fleet.all[0]!.address, port);
  await Promise.all(fleet.etcd.members.slice(0, 2).map((member) => member.kill()));
  const asked = fleet.all[0]!;
  await eventually('the store is seen to be gone', async () => {
    const { servers } = await asked.status();
    return servers.leader === null && servers.storeProblem !== null;
  });
  const write = await asked.call('DELETE', '/v1/databases/main');
  assert.equal(write.status, 503);
  assert.equal((await load.end()).failed, 0);
  await Promise.all(fleet.etcd.members.slice(0, 2).map((member) => member.start()));
  await isReady(asked, 'main');
}
