import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { TlsFiles } from '../../src/domain/tls-directives.ts';
import {
  ENDPOINT_CONFIG_FILE,
  ENDPOINT_SOCKET,
  type EndpointConfig,
  type FromEndpoint,
  type ToEndpoint,
} from '../../src/protocol/endpoint-messages.ts';
import { ByteClient } from '../support/byte-client.ts';
import { endpointScene, type Scene, until } from '../support/endpoint-scene.ts';
import { processesUnder } from '../support/leaks.ts';
import { freePort } from '../support/start-engine.ts';
import { tempDir } from '../support/temp-dir.ts';
import { machine, testAuthority, writeTlsFiles } from '../support/trust.ts';

const PROGRAM = join(import.meta.dirname, '../../src/main/endpoint-process.ts');
const DRAIN_MS = 3_000;

const isRunning = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
};

/** One endpoint process, and whatever it makes of itself. */
class Running {
  readonly dir: string;
  readonly port: number;

  constructor(dir: string, port: number) {
    this.dir = dir;
    this.port = port;
  }

  async tell(message: ToEndpoint): Promise<FromEndpoint> {
    const socket = connect(join(this.dir, ENDPOINT_SOCKET));
    try {
      await once(socket, 'connect');
      socket.write(`${JSON.stringify(message)}\n`);
      let text = '';
      for await (const chunk of socket) {
        text += String(chunk);
        if (text.includes('\n')) break;
      }
      return JSON.parse(text) as FromEndpoint;
    } finally {
      socket.destroy();
    }
  }

  async pid(): Promise<number> {
    const answer = await this.tell({ do: 'status' });
    assert.ok(answer.ok && answer.status);
    return answer.status.pid;
  }

  /** Its own pid, and those of its further workers. */
  workers(): number[] {
    return processesUnder(this.dir)
      .filter(({ command }) => command.includes('--worker'))
      .map(({ pid }) => pid);
  }
}

/** Clients of several kinds that say all the time what they were answered; it counts what went wrong. */
class Load {
  readonly failures: string[] = [];
  commands = 0;
  connections = 0;
  /** Of clients that stay: how often they connected. */
  reconnects = 0;
  #isOver = false;
  readonly #all: Promise<void>[] = [];

  /** `ca`: of the authority that half of them believe, who speak TLS; the others do not. */
  constructor(port: number, ca?: string) {
    for (let index = 0; index < 3; index += 1) this.#all.push(this.#stays(port, index, index === 1 ? ca : undefined));
    for (let index = 0; index < 4; index += 1) {
      this.#all.push(this.#comesAndGoes(port, index, index % 2 === 1 ? ca : undefined));
    }
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#all);
  }

  /** Counts up one number: what it is in the end says whether a command was lost or carried out twice. */
  async #stays(port: number, index: number, ca: string | undefined): Promise<void> {
    const tls = ca === undefined ? {} : { tls: { ca } };
    const client = new Redis(port, '127.0.0.1', { retryStrategy: () => 1, ...tls });
    client.on('error', (error: Error) => this.failures.push(`ioredis: ${error.message}`));
    client.on('connect', () => {
      this.reconnects += 1;
    });
    const key = `stays:${index}`;
    await client.del(key);
    for (let count = 0; !this.#isOver; count += 5) {
      try {
        const answers = await Promise.all(Array.from({ length: 5 }, () => client.incr(key)));
        this.commands += 5;
        const expected = Array.from({ length: 5 }, (_, more) => count + 1 + more);
        if (answers.join() !== expected.join()) this.failures.push(`${key}: ${answers} instead of ${expected}`);
      } catch (error) {
        this.failures.push(`${key}: ${(error as Error).message}`);
      }
    }
    client.disconnect();
  }

  async #comesAndGoes(port: number, index: number, ca: string | undefined): Promise<void> {
    for (let round = 0; !this.#isOver; round += 1) {
      try {
        const client = await new ByteClient(port, '127.0.0.1', true, ca).connected();
        this.connections += 1;
        for (let count = 0; count < 3; count += 1) {
          const text = `${index}:${round}:${count}`;
          const reply = await client.ask('ECHO', text).catch((error: Error) => {
            // Closed between two commands, as every client must expect of a connection that has served it.
            if (count > 0 && client.isClosed) return null;
            throw error;
          });
          if (reply === null) break;
          this.commands += 1;
          if (reply !== `$${text.length}\r\n${text}\r\n`) this.failures.push(`${text}: ${reply}`);
        }
        client.destroy();
      } catch (error) {
        this.failures.push(`a new connection: ${(error as Error).message}`);
      }
    }
  }
}

describe('an endpoint process that is replaced', () => {
  const ends: (() => unknown)[] = [];
  let scene: Scene;
  before(async () => {
    scene = await endpointScene({ after: (end) => ends.push(end as () => unknown) }, { shards: 2 });
  });
  after(async () => {
    for (const end of ends.reverse()) await end();
  });

  async function start(t: TestContext, workers: number, tls: TlsFiles | null = null): Promise<Running> {
    const dir = tempDir(t);
    const port = await freePort();
    const config: EndpointConfig = structuredClone(scene.config);
    config.workers = workers;
    config.tls = tls;
    config.databases[0]!.port = port;
    writeFileSync(join(dir, ENDPOINT_CONFIG_FILE), JSON.stringify(config));
    const child: ChildProcess = spawn(process.execPath, [PROGRAM, '--dir', dir], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const running = new Running(dir, port);
    t.after(async () => {
      for (const { pid } of processesUnder(dir)) process.kill(pid, 'SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      await until('all have ended', async () => processesUnder(dir).length === 0);
    });
    await until('it serves', async () => (await running.tell({ do: 'status' }).catch(() => null)) !== null);
    await until('workers run', async () => running.workers().length === workers - 1);
    const client = await new ByteClient(port).connected();
    assert.match(await client.ask('GET', 'none'), /^\$-1/);
    client.destroy();
    return running;
  }

  for (const { workers, withTls } of [
    { workers: 1, withTls: false },
    { workers: 2, withTls: false },
    { workers: 2, withTls: true },
  ]) {
    const who = withTls ? ', some clients with TLS' : '';
    it(`refuses, resets and loses nothing, twice in a row, with ${workers} worker(s)${who}`, async (t) => {
      const authority = await testAuthority();
      const files = writeTlsFiles(tempDir(t), await authority.credentials(machine('machine-1')));
      const running = await start(t, workers, withTls ? files : null);
      const silent = await new ByteClient(running.port).connected();
      const load = new Load(running.port, withTls ? authority.certificate : undefined);
      try {
        await pause(500);
        for (let time = 0; time < 2; time += 1) {
          const old = await running.pid();
          const oldWorkers = running.workers();
          assert.deepEqual(await running.tell({ do: 'hand-over', drainMs: DRAIN_MS }), { ok: true });
          const began = performance.now();
          assert.notEqual(await running.pid(), old);
          await until('the old one is gone', async () => !isRunning(old) && oldWorkers.every((pid) => !isRunning(pid)));
          const tookMs = performance.now() - began;
          assert.ok(tookMs < DRAIN_MS + 2_000, `${tookMs} ms`);
          await pause(300);
        }
      } finally {
        await load.end();
      }
      assert.deepEqual(load.failures, []);
      assert.deepEqual(await silent.closed(), []);
      assert.ok(load.commands > 100 && load.connections > 20, JSON.stringify(load));
      t.diagnostic(
        `${load.commands} commands, ${load.connections} new connections, ${load.reconnects} by clients that stay`,
      );
    });
  }

  it('goes on when its successor cannot start', async (t) => {
    const running = await start(t, 1);
    const old = await running.pid();
    const client = await new ByteClient(running.port).connected();
    const file = join(running.dir, ENDPOINT_CONFIG_FILE);
    renameSync(file, `${file}.aside`);
    writeFileSync(file, '{ this is broken');
    const answer = await running.tell({ do: 'hand-over', drainMs: DRAIN_MS });
    assert.equal(answer.ok, false);
    assert.equal(await running.pid(), old);
    assert.equal(await client.ask('PING'), '+PONG\r\n');
    assert.equal(await (await new ByteClient(running.port).connected()).ask('PING'), '+PONG\r\n');
    await until('the successor is gone', async () => processesUnder(running.dir).length === 1);
    renameSync(`${file}.aside`, file);
    assert.deepEqual(await running.tell({ do: 'hand-over', drainMs: 500 }), { ok: true });
    assert.notEqual(await running.pid(), old);
  });

  it('starts a worker again that was killed', async (t) => {
    const running = await start(t, 2);
    const [worker] = running.workers();
    process.kill(worker!, 'SIGKILL');
    await until('another one runs', async () => {
      const [another] = running.workers();
      return another !== undefined && another !== worker;
    });
    for (let count = 0; count < 20; count += 1) {
      const client = await new ByteClient(running.port).connected();
      assert.equal(await client.ask('PING'), '+PONG\r\n');
      client.destroy();
    }
  });

  it('paces writers in all its workers, together to what it is told', async (t) => {
    const running = await start(t, 2);
    const rate = 200_000;
    const value = Buffer.alloc(5_000, 'x');
    const pace = (bytesPerSecond: number | null) =>
      running.tell({ do: 'pace', database: 'scene-uid', slots: [[0, 16_383]], bytesPerSecond });
    let written = 0;
    let isOver = false;
    const clients = Array.from({ length: 8 }, async (_, index) => {
      const client = await new ByteClient(running.port).connected();
      while (!isOver) {
        assert.equal(await client.ask('SET', `key:${index}`, value), '+OK\r\n');
        written += value.length;
      }
      client.destroy();
    });
    const perSecond = async (ms: number): Promise<number> => {
      const [before, since] = [written, performance.now()];
      await pause(ms);
      return ((written - before) / (performance.now() - since)) * 1_000;
    };
    assert.deepEqual(await pace(rate), { ok: true });
    await pause(300);
    const paced = await perSecond(1_500);
    assert.deepEqual(await pace(null), { ok: true });
    const free = await perSecond(500);
    isOver = true;
    await Promise.all(clients);
    t.diagnostic(`${Math.round(paced)} bytes a second while paced to ${rate}, ${Math.round(free)} afterwards`);
    // Half of it, should all clients have come to one worker.
    assert.ok(paced > 0.35 * rate && paced < 1.3 * rate && free > 1.5 * paced, `${paced}, ${free}`);
  });
});
