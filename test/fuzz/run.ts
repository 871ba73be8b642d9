/**
 * Hostile clients at an endpoint, and beside them some that behave and look at every byte they get: each knows what its
 * own replies are, and that no others may come.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Random } from '../sim/random.ts';
import { ByteClient } from '../support/byte-client.ts';
import { endpointScene, type Scene } from '../support/endpoint-scene.ts';
import { nextInput } from './inputs.ts';

const HOSTS = 40;
const CANARIES = 4;
/** A hostile connection that was ended by its client must be gone after so long. */
const STUCK_MS = 20_000;
const MEMORY_EVERY_MS = 500;

export interface FuzzOptions {
  seed: number;
  inputs: number;
  log?: (line: string) => void;
}

export interface FuzzReport {
  seed: number;
  inputs: number;
  connections: number;
  seconds: number;
  /** Replies that the behaving clients compared. */
  checkedReplies: number;
  protocolErrors: number;
  errorReplies: number;
  defects: number;
  /** Bytes of memory of the whole process: at first, at most, and at the end. */
  memory: { atFirst: number; most: number; last: number };
  /** What is left behind, when all hostile clients are gone. */
  left: { clients: number; underWayBytes: number; inFlight: number; waiting: number };
}

/** Runs it. @throws Error when a client gets a wrong byte or a connection is stuck */
export async function runFuzz(t: { after(end: () => unknown): void }, options: FuzzOptions): Promise<FuzzReport> {
  const { seed, inputs, log = () => {} } = options;
  const scene = await endpointScene(t as never, {
    limits: { commandBytes: 4 * 1024 ** 2, totalBytes: 256 * 1024 ** 2, replyBytesClose: 32 * 1024 ** 2 },
  });
  const { service } = scene;
  const run = { left: inputs, connections: 0, isOver: false, checked: 0 };
  const memory = { atFirst: process.memoryUsage().rss, most: 0, last: 0 };
  const started = performance.now();
  const watch = setInterval(() => {
    memory.most = Math.max(memory.most, process.memoryUsage().rss);
    log(`${inputs - run.left} inputs, ${run.connections} connections, ${run.checked} replies checked`);
  }, MEMORY_EVERY_MS);
  try {
    const canaries = Array.from({ length: CANARIES }, (_, index) => canary(scene, seed, index, run));
    const hosts = Array.from({ length: HOSTS }, (_, index) => host(scene, new Random(seed * 1_000 + index), run));
    const failed = Promise.race(canaries.map((one) => one.then(() => new Promise<never>(() => {}))));
    await Promise.race([Promise.all(hosts), failed]);
    run.isOver = true;
    await Promise.all(canaries);
  } finally {
    run.isOver = true;
    clearInterval(watch);
  }
  const seconds = (performance.now() - started) / 1_000;
  await settled(scene);
  memory.last = process.memoryUsage().rss;
  let inFlight = 0;
  for (const lane of service.lanes()) for (const [, upstream] of lane.open()) inFlight += upstream.inFlight;
  const { protocolErrors, errorReplies, defects } = service.counts;
  return {
    ...{ seed, inputs, connections: run.connections, seconds, checkedReplies: run.checked },
    ...{ protocolErrors, errorReplies, defects, memory },
    left: {
      ...{ clients: service.peers.size, underWayBytes: service.underWay.bytes },
      ...{ inFlight, waiting: service.sender.waiting },
    },
  };
}

interface Run {
  left: number;
  connections: number;
  isOver: boolean;
  checked: number;
}

/** One connection after the other, each with some inputs in pieces of any size, and an end of any kind. */
async function host(scene: Scene, random: Random, run: Run): Promise<void> {
  while (run.left > 0 && !run.isOver) {
    const client = await new ByteClient(scene.port, scene.host, false).connected();
    run.connections += 1;
    for (let count = 1 + random.below(60); count > 0 && run.left > 0 && !client.isClosed; count -= 1) {
      run.left -= 1;
      const input = nextInput(random);
      const cut = random.chance(0.3) ? random.below(input.length + 1) : input.length;
      client.write(input.subarray(0, cut));
      if (cut < input.length) {
        await pause(0);
        client.write(input.subarray(cut));
      }
      if (random.chance(0.1)) await pause(0);
    }
    if (random.chance(0.3)) client.destroy();
    else if (random.chance(0.2)) client.socket.resetAndDestroy();
    else client.socket.end();
    await client.closed(STUCK_MS);
  }
}

/** Sets and gets values that nobody else has, pipelined, and compares every byte. */
async function canary(scene: Scene, seed: number, index: number, run: Run): Promise<void> {
  const client = await new ByteClient(scene.port, scene.host).connected();
  const random = new Random(seed * 7 + index);
  for (let round = 0; !run.isOver; round += 1) {
    const expected: string[] = [];
    for (let count = 1 + random.below(20); count > 0; count -= 1) {
      const key = `canary:${index}:${random.below(1_000)}`;
      const value = `${index}/${round}/${count}/${'v'.repeat(random.below(random.chance(0.02) ? 100_000 : 60))}`;
      client.send('SET', key, value);
      client.send('ECHO', `${key} ${value}`);
      client.send('GET', key);
      client.send('MGET', key, `canary:${index}:none`);
      const bulk = (text: string): string => `$${text.length}\r\n${text}\r\n`;
      expected.push('+OK\r\n', bulk(`${key} ${value}`), bulk(value), `*2\r\n${bulk(value)}$-1\r\n`);
    }
    for (const reply of expected) {
      const got = await client.next(STUCK_MS);
      if (got !== reply) {
        const show = (text: string): string => JSON.stringify(text.slice(0, 200));
        throw new Error(`client ${index} got ${show(got)} instead of ${show(reply)}`);
      }
      run.checked += 1;
    }
    await pause(random.below(5));
  }
  client.destroy();
  await client.closed();
}

async function settled({ service }: Scene): Promise<void> {
  for (let tries = 0; tries < 100 && (service.peers.size > 0 || service.underWay.bytes > 0); tries += 1) {
    await pause(50);
  }
}
