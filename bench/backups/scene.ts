/** What backups are made of, and everything that is measured of them: one fleet with one database, for all ways alike. */
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { BackupStatus } from '../../src/domain/backup.ts';
import type { DatabaseStatus } from '../../src/domain/status.ts';
import { parseInfo } from '../../src/valkey/info.ts';
import { nowMs } from '../faults/clock.ts';
import { until } from '../faults/wait.ts';
import { Nodes } from '../rebalance/nodes.ts';
import type { Target } from '../rebalance/system.ts';
import { freePort, startChild } from '../support/children.ts';
import { adminOf, killServers, runCluster, templatesOf, wordOf } from '../support/cli-cluster.ts';
import { type Engine, Fleet } from '../support/fleet.ts';
import type { Address, Credentials } from '../support/formation.ts';
import type { Stage } from '../support/stage.ts';
import type { MeasuredId, Told } from './result.ts';

const ADDRESS_BASE = '127.0.76.11';
const DATABASE = 'main';
const RESTORED = 'restored';
const MORE_SHARDS = 5;
/** Of one command: whatever it takes is measured. */
const PATIENCE_S = 3_600;
const PATIENCE_MS = PATIENCE_S * 1_000;
const LOADED_WITHIN_MS = 600_000;
const LOADED_LINE = /DB loaded from disk: (\d+\.\d+) seconds/;

const NOTHING_TOLD = { rawBytes: null, storedBytes: null, skewMs: null, innerMs: null };

const sum = (figures: readonly number[]): number => figures.reduce((all, one) => all + one, 0);

export class Scene {
  readonly nodes: Nodes;
  readonly target: Target;
  readonly addresses: readonly Address[];
  readonly #fleet: Fleet;
  readonly #engine: Engine;
  readonly #admin: Credentials;
  readonly #replicas: readonly Address[];
  /** For restores: the latest. */
  #backup: BackupStatus | null = null;
  #hasRdb = false;

  private constructor(fleet: Fleet, engine: Engine, status: DatabaseStatus, password: string | null, nodes: Nodes) {
    this.#fleet = fleet;
    this.#engine = engine;
    this.#admin = adminOf(templatesOf(fleet, status)[0]!);
    this.nodes = nodes;
    this.addresses = addressesOf(status);
    this.#replicas = status.shards.flatMap(({ replicas }) => replicas);
    this.target = { way: 'endpoint', addresses: status.endpoints.map(({ host, port }) => ({ host, port })), password };
  }

  /** The fleet with its database of three shards, a replica each, for so much data; gone when the stage is. */
  static async start(stage: Stage, memory: string): Promise<Scene> {
    const fleet = new Fleet(ADDRESS_BASE);
    stage.after(() => fleet[Symbol.asyncDispose]());
    await fleet.up('--machines', '3');
    await fleet.run('db', 'update', DATABASE, '--memory', memory, '--persistence', 'aof');
    const status = await fleet.untilReady(DATABASE);
    const nodes = new Nodes(adminOf(templatesOf(fleet, status)[0]!));
    stage.after(() => nodes.close());
    return new Scene(fleet, await fleet.engine(), status, (await fleet.client.password(DATABASE)).password, nodes);
  }

  /** What a measurement takes that is not part of it. */
  async prepare(what: MeasuredId): Promise<void> {
    if (what.startsWith('restore') && this.#backup === null) await this.#makeBackup();
    if (what === 'load' && !this.#hasRdb) await this.#bgsave();
    await this.nodes.settle(this.addresses);
  }

  /** Makes one, and cleans up after it; what is told is without that. */
  measure(stage: Stage, what: MeasuredId): Promise<{ told: Told; beganAt: number; endedAt: number }> {
    switch (what) {
      case 'backup':
        return this.#makeBackup();
      case 'bgsave':
        return this.#bgsave();
      case 'cli':
        return this.#clusterBackup();
      case 'restore-same':
        return this.#restore([]);
      case 'restore-more':
        return this.#restore(['--shards', `${MORE_SHARDS}`]);
      case 'load':
        return this.#loadPlainly(stage);
    }
  }

  async #makeBackup() {
    const place = join(this.#fleet.scratch, 'backups');
    const earlier = this.#backup;
    const beganAt = nowMs();
    const { stdout } = await this.#fleet.run('backup', 'create', DATABASE, '--to', place, '--json');
    const endedAt = nowMs();
    const backup = JSON.parse(stdout) as BackupStatus;
    if (backup.state !== 'done') throw new Error(`the backup is ${backup.state}: ${backup.problem}`);
    this.#backup = backup;
    if (earlier) await this.#fleet.run('backup', 'delete', earlier.id, '--yes');
    const { parts, skewMs, startedAt } = backup;
    const told = {
      ms: endedAt - beganAt,
      rawBytes: sum(parts.map(({ rawBytes }) => rawBytes)),
      storedBytes: sum(parts.map(({ storedBytes }) => storedBytes)),
      skewMs,
      innerMs: Date.parse(backup.endedAt!) - Date.parse(startedAt),
    };
    return { told, beganAt, endedAt };
  }

  async #bgsave() {
    const beganAt = nowMs();
    await Promise.all(this.#replicas.map((replica) => this.nodes.at(replica).command('BGSAVE')));
    await Promise.all(this.#replicas.map((replica) => this.#untilSaved(replica)));
    const endedAt = nowMs();
    const files = await Promise.all(this.#replicas.map((replica) => this.#rdbOf(replica)));
    const bytes = sum(files.map((file) => statSync(file).size));
    const [first, ...others] = files as [string, ...string[]];
    mkdirSync(this.#plainDir, { recursive: true });
    renameSync(first, join(this.#plainDir, 'dump.rdb'));
    this.#hasRdb = true;
    for (const file of others) rmSync(file);
    const told = { ...NOTHING_TOLD, ms: endedAt - beganAt, rawBytes: bytes, storedBytes: bytes };
    return { told, beganAt, endedAt };
  }

  async #untilSaved(replica: Address): Promise<void> {
    const outcome = await until(
      'a snapshot is saved',
      async () => {
        const info = parseInfo(String(await this.nodes.at(replica).command('INFO', 'persistence')));
        return info.get('rdb_bgsave_in_progress') === '0' ? info.get('rdb_last_bgsave_status')! : null;
      },
      PATIENCE_MS,
    );
    if (outcome !== 'ok') throw new Error(`BGSAVE ended with ${outcome} at ${wordOf(replica)}`);
  }

  async #rdbOf(node: Address): Promise<string> {
    const setting = async (name: string): Promise<string> =>
      String(((await this.nodes.at(node).command('CONFIG', 'GET', name)) as unknown[])[1]);
    return join(await setting('dir'), await setting('dbfilename'));
  }

  async #clusterBackup() {
    const { cliPath } = this.#engine;
    if (cliPath === null) throw new Error('there is no valkey-cli beside the engine');
    const folder = join(this.#fleet.scratch, 'cli-backup');
    mkdirSync(folder);
    try {
      const beganAt = nowMs();
      const { output } = await runCluster(cliPath, this.#admin, 'backup', wordOf(this.addresses[0]!), folder);
      const endedAt = nowMs();
      const files = readdirSync(folder).filter((name) => name.endsWith('.rdb'));
      if (files.length !== this.#replicas.length) throw new Error(`${files.length} RDB files are there:\n${output}`);
      const bytes = sum(files.map((name) => statSync(join(folder, name)).size));
      const told = { ...NOTHING_TOLD, ms: endedAt - beganAt, rawBytes: bytes, storedBytes: bytes };
      return { told, beganAt, endedAt };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  async #restore(words: readonly string[]) {
    const { id, parts } = this.#backup!;
    const patience = ['--timeout', `${PATIENCE_S}`];
    try {
      const beganAt = nowMs();
      const running = this.#fleet.run('db', 'restore', RESTORED, '--from', id, ...words, ...patience);
      const [letInAt] = await Promise.all([this.#untilLetIn(running), running]);
      const status = await this.#fleet.untilReady(RESTORED);
      const endedAt = nowMs();
      await this.#requireAllKeys(status, sum(parts.map(({ keys }) => keys)));
      const rawBytes = sum(parts.map((part) => part.rawBytes));
      const storedBytes = sum(parts.map((part) => part.storedBytes));
      const told = { ms: endedAt - beganAt, rawBytes, storedBytes, skewMs: null, innerMs: letInAt - beganAt };
      return { told, beganAt, endedAt };
    } finally {
      await this.#fleet.run('db', 'delete', RESTORED, '--yes').catch(() => {}); // it may not be there
      await this.#fleet.untilGone(RESTORED);
    }
  }

  /** At the latest when the command has ended, however it did. */
  async #untilLetIn(command: Promise<unknown>): Promise<number> {
    let isOver = false;
    const over = (): void => {
      isOver = true;
    };
    command.then(over, over);
    return await until(
      'clients are let in',
      async () => {
        if (isOver) return nowMs();
        const { restore, endpoint } = await this.#fleet.client.database(RESTORED);
        return restore?.stage === 'load' || endpoint === null ? null : nowMs();
      },
      PATIENCE_MS,
    );
  }

  async #requireAllKeys(status: DatabaseStatus, wanted: number): Promise<void> {
    const nodes = new Nodes(adminOf(templatesOf(this.#fleet, status)[0]!));
    try {
      const { keys } = await nodes.contents(addressesOf(status)[0]!);
      if (keys !== wanted) throw new Error(`${keys} keys are there, of ${wanted}`);
    } finally {
      nodes.close();
    }
  }

  /** From its start to the end of loading by its log; the start of the process is not part of it. */
  async #loadPlainly(stage: Stage) {
    const log = join(this.#plainDir, 'log');
    rmSync(log, { force: true });
    const beganAt = nowMs();
    const servers: ChildProcess[] = [];
    stage.after(() => killServers(servers));
    try {
      const settings = ['--port', `${await freePort()}`, '--bind', '127.0.0.1', '--save', '', '--logfile', log];
      servers.push(startChild(this.#engine.serverPath, [...settings, '--dir', this.#plainDir], this.#plainDir));
      const seconds = await until(
        'an RDB is loaded',
        async () => LOADED_LINE.exec(readFileSync(log, 'utf8'))?.[1] ?? null,
        LOADED_WITHIN_MS,
      );
      const rawBytes = statSync(join(this.#plainDir, 'dump.rdb')).size;
      const told = { ...NOTHING_TOLD, ms: Number(seconds) * 1_000, rawBytes, storedBytes: rawBytes };
      return { told, beganAt, endedAt: nowMs() };
    } finally {
      await killServers(servers);
    }
  }

  get #plainDir(): string {
    return join(this.#fleet.scratch, 'plain');
  }
}

const addressesOf = ({ shards }: DatabaseStatus): Address[] =>
  shards.flatMap(({ primary, replicas }) => [primary!, ...replicas]).map(({ host, port }) => ({ host, port }));
