/** A job of slot migration that would never end, since more is written to its slots than its target takes: it ends when writers are paced. */
import assert from 'node:assert/strict';
import { connect, createServer, type Socket } from 'node:net';
import { it, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { Pacer } from '../../src/control/pacer.ts';
import type { Database } from '../../src/domain/database.ts';
import type { NewEvent } from '../../src/domain/event.ts';
import { keySlot } from '../../src/domain/key-slot.ts';
import type { SlotMigration } from '../../src/domain/reshard.ts';
import type { DatabaseView, NodeView } from '../../src/domain/view.ts';
import { activeJob } from '../../src/plan/reshard.ts';
import { migrateSlots, receivedBytesPerSecond, slotMigrations } from '../../src/valkey/slot-migrations.ts';
import { ByteClient } from '../support/byte-client.ts';
import { endpointScene, type Scene, type SceneNode, until } from '../support/endpoint-scene.ts';

/** What the way to the target takes, and what is written to the slots that move; bytes a second. */
const TAKEN = 5_000_000;
const WRITTEN = 10_000_000;
const VALUE = Buffer.alloc(20_000, 'x');
const WRITERS = 8;
/** More in all than lies between two nodes without either knowing of it. */
const KEYS = Array.from({ length: 2_000 }, (_, index) => `key:${index}`).filter((key) => keySlot(key) < 4_096);
const LOOK_MS = 100;

/** A way to the node that takes so many bytes a second of each connection. @returns its port */
async function narrowWay(t: TestContext, { host, port }: SceneNode): Promise<number> {
  const open = new Set<Socket>();
  const server = createServer({ noDelay: true }, (from) => {
    const to = connect({ host, port, noDelay: true });
    for (const [one, other] of [[from, to] as const, [to, from] as const]) {
      open.add(one);
      one.on('error', () => {});
      one.on('close', () => other.destroy());
    }
    to.on('data', (bytes) => from.write(bytes));
    let free = performance.now();
    from.on('data', (bytes) => {
      to.write(bytes);
      free = Math.max(free, performance.now() - 50) + (bytes.length / TAKEN) * 1_000;
      const waitMs = free - performance.now();
      if (waitMs < 1) return;
      from.pause();
      setTimeout(() => from.resume(), waitMs);
    });
  });
  t.after(() => {
    server.close();
    for (const one of open) one.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return (server.address() as { port: number }).port;
}

/** Writes to the slots that move, as fast as it is let and no faster than `WRITTEN`. */
class Writers {
  readonly replies = new Map<string, number>();
  #isGoing = true;
  readonly #running: Promise<void>[];

  constructor({ port }: Scene) {
    this.#running = Array.from({ length: WRITERS }, (_, index) => this.#write(port, index));
  }

  async #write(port: number, index: number): Promise<void> {
    const client = await new ByteClient(port).connected();
    const betweenMs = (VALUE.length * WRITERS * 1_000) / WRITTEN;
    let next = performance.now();
    for (let number = index; this.#isGoing; number += WRITERS) {
      const reply = await client.ask('SET', KEYS[number % KEYS.length]!, VALUE);
      this.replies.set(reply, (this.replies.get(reply) ?? 0) + 1);
      next = Math.max(next, performance.now() - 200) + betweenMs;
      await pause(Math.max(0, next - performance.now()));
    }
    client.destroy();
  }

  async stop(): Promise<void> {
    this.#isGoing = false;
    await Promise.all(this.#running);
  }
}

/** What the control plane sees of the source. */
async function seen({ id, admin }: SceneNode): Promise<DatabaseView> {
  const [migrations, received] = await Promise.all([slotMigrations(admin), receivedBytesPerSecond(admin)]);
  const node: Partial<NodeView> = { migrations, receivedBytesPerSecond: received };
  return { at: Date.now(), machines: [], nodes: new Map([[id, node as NodeView]]) };
}

it('a job that would not end ends when the writers to its slots are paced, and they are let go then', async (t) => {
  const scene = await endpointScene(t, { shards: 2 });
  const [source, target] = scene.primaries as [SceneNode, SceneNode];
  const way = await narrowWay(t, target);
  await target.admin.command('CONFIG', 'SET', 'cluster-announce-port', way);
  await until('the source knows the way', async () =>
    String(await source.admin.command('CLUSTER', 'NODES')).includes(`:${way}@`),
  );
  const events: NewEvent[] = [];
  const paces: (number | null)[] = [];
  const pacer = new Pacer({
    pace: (pace) => {
      scene.endpoint.pace(pace);
      paces.push(pace.bytesPerSecond);
    },
    record: (event) => events.push(event),
  });
  const { uid } = scene.config.databases[0]!;
  const database = { uid, nodes: [source, target].map(({ id, shard }) => ({ id, shard: `shard-${shard}` })) };
  const writers = new Writers(scene);
  await pause(1_500);
  const began = performance.now();
  const since = (): number => Math.round(performance.now() - began);
  await migrateSlots(source.admin, [{ to: target.id, slots: [[0, 4_095]] }]);
  let job: SlotMigration | null = null;
  for (let view = await seen(source); ; view = await seen(source)) {
    pacer.look(database as unknown as Database, view);
    const now = activeJob(view);
    if (now === null) break;
    if (now.phase !== job?.phase) t.diagnostic(`${since()} ms: ${now.phase}, ${now.remainingBytes} bytes left`);
    job = now;
    assert.ok(since() < 30_000, `it does not end: ${JSON.stringify(now)}`);
    await pause(LOOK_MS);
  }
  t.diagnostic(`${since()} ms: it is over; paces: ${paces.join(', ')}`);
  const [last] = await slotMigrations(source.admin);
  await writers.stop();
  assert.deepEqual([last?.state, last?.message], ['success', '']);
  assert.deepEqual([...writers.replies.keys()], ['+OK\r\n']);
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ['writers_paced'],
  );
  assert.match(events[0]!.message, /^Writers to 4096 slots on their way from shard-0 to shard-1 are paced/);
  assert.equal(paces.at(-1), null);
  assert.equal(scene.service.pacing.isOn, false);
});
