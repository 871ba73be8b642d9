/** One node of the engine that owns every slot: what the baseline is made on. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { accepts } from '../../bench/support/formation.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { NodeConnection } from '../../src/valkey/connection.ts';
import { freePort } from '../support/start-engine.ts';
import type { Address } from './run-unit.ts';

const HOST = '127.0.0.1';
const START_MS = 10_000;
const POLL_MS = 20;

export class DirectNode implements Address {
  readonly host = HOST;
  readonly port: number;
  readonly #dir: string;
  readonly #process: ChildProcess;

  private constructor(port: number, dir: string, child: ChildProcess) {
    this.port = port;
    this.#dir = dir;
    this.#process = child;
    process.once('exit', this.#kill);
  }

  /** Started, with all slots, and serving. @throws Error when it does not within ten seconds */
  static async start(engine: Engine): Promise<DirectNode> {
    const port = await freePort();
    const dir = mkdtempSync(join(tmpdir(), 'valkeeper-direct-'));
    const settings = {
      bind: HOST,
      port: String(port),
      dir,
      save: '',
      'cluster-enabled': 'yes',
      'cluster-databases': '16',
      'enable-debug-command': 'yes',
    };
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
    const node = new DirectNode(port, dir, spawn(engine.serverPath, args, { stdio: 'ignore' }));
    try {
      await node.#claimSlots();
      return node;
    } catch (error) {
      await node[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #claimSlots(): Promise<void> {
    const options = { connectTimeoutMs: START_MS, commandTimeoutMs: START_MS, maxQueued: 16 };
    await accepts(this);
    const connection = new NodeConnection({ host: this.host, port: this.port, ...options });
    try {
      await connection.command('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
      const deadline = performance.now() + START_MS;
      while (!String(await connection.command('CLUSTER', 'INFO')).includes('cluster_state:ok')) {
        if (performance.now() > deadline) throw new Error('the node does not come to serve its slots');
        await sleep(POLL_MS);
      }
    } finally {
      connection.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.off('exit', this.#kill);
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      this.#kill();
      await once(this.#process, 'exit');
    }
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #kill = (): void => void this.#process.kill('SIGKILL');
}
