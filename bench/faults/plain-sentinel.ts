/** Sentinel: one primary with two replicas, and three sentinels, on three machines. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NodeConnection } from '../../src/valkey/connection.ts';
import type { Target } from './load-client.ts';
import { COMMON, PlainServers } from './plain-servers.ts';
import type { Node, Shard, System } from './system.ts';
import { until } from './wait.ts';

const MACHINES = [1, 2, 3];
const PORT = 7_101;
const SENTINEL_PORT = 26_379;
const GROUP = 'main';
const QUORUM = 2;
/** Long enough for its own next try; the default of three minutes is for larger data. */
const FAILOVER_TIMEOUT_MS = 20_000;

export class PlainSentinel implements System {
  readonly name: string;
  readonly spared = [];
  readonly #servers: PlainServers;

  private constructor(name: string, servers: PlainServers) {
    this.name = name;
    this.#servers = servers;
  }

  /** @param downAfterMs silence after which a sentinel takes the primary for down */
  static async start(
    t: { after: (clean: () => unknown) => void },
    serverPath: string,
    downAfterMs: number,
  ): Promise<PlainSentinel> {
    const servers = new PlainServers(t, 1 + MACHINES.length + 1, serverPath);
    const system = new PlainSentinel(`Sentinel, ${downAfterMs / 1000} s`, servers);
    const first = servers.hosts[MACHINES[0]!]!.address;
    for (const machine of MACHINES) {
      const { folder, program } = servers.prepare(`node-${machine}`);
      const follow = machine === MACHINES[0] ? [] : ['--replicaof', `${first} ${PORT}`];
      servers.add(`node-${machine}`, machine, folder, [program, '--port', `${PORT}`, ...COMMON, ...follow]);
      await servers.answering(system.#nodeOn(machine));
    }
    for (const machine of MACHINES) {
      const { folder, program } = servers.prepare(`sentinel-${machine}`, 'valkey-sentinel');
      const conf = join(folder, 'sentinel.conf');
      writeFileSync(
        conf,
        [
          `port ${SENTINEL_PORT}`,
          'protected-mode no',
          `dir ${folder}`,
          `sentinel monitor ${GROUP} ${first} ${PORT} ${QUORUM}`,
          `sentinel down-after-milliseconds ${GROUP} ${downAfterMs}`,
          `sentinel failover-timeout ${GROUP} ${FAILOVER_TIMEOUT_MS}`,
          '',
        ].join('\n'),
      );
      servers.add(`sentinel-${machine}`, machine, folder, [program, conf]);
    }
    await system.whole();
    return system;
  }

  get hosts() {
    return this.#servers.hosts;
  }

  get clientHost() {
    return this.hosts.at(-1)!;
  }

  #nodeOn(machine: number): Omit<Node, 'pid'> {
    return { id: `${machine}`, machine, host: this.hosts[machine]!.address, port: PORT };
  }

  #node(machine: number): Node {
    return { ...this.#nodeOn(machine), pid: this.#servers.pid(`node-${machine}`) };
  }

  async #ask(address: { host: string; port: number }, ...words: string[]): Promise<unknown> {
    const connection = this.#servers.connect(address);
    try {
      return await connection.command(...words);
    } finally {
      connection.close();
    }
  }

  async shards(): Promise<Shard[]> {
    const nodes = MACHINES.map((machine) => this.#node(machine));
    const roles = await Promise.all(nodes.map(async (node) => ((await this.#ask(node, 'ROLE')) as string[])[0]));
    const primary = nodes.find((_, index) => roles[index] === 'master')!;
    return [{ slots: [[0, 16_383]], primary, replicas: nodes.filter((node) => node !== primary) }];
  }

  target(near?: number): Target {
    const machines = near === undefined ? MACHINES : [near];
    const sentinels = machines.map((machine) => ({ host: this.hosts[machine]!.address, port: SENTINEL_PORT }));
    return { kind: 'sentinel', sentinels, group: GROUP };
  }

  admin(node: Node): NodeConnection {
    return this.#servers.connect(node);
  }

  async revive({ machine }: Node): Promise<void> {
    this.#servers.start(`node-${machine}`);
  }

  async powerOn(machine: number): Promise<void> {
    this.#servers.startAll(machine);
  }

  /** One primary, that all sentinels name, with two replicas in sync; every sentinel knows the others and nobody is down. */
  async whole(): Promise<void> {
    await until('one primary, two replicas, three sentinels that agree', async () => {
      const nodes = MACHINES.map((machine) => this.#nodeOn(machine));
      const infos = await Promise.all(nodes.map(async (node) => String(await this.#ask(node, 'INFO', 'replication'))));
      const primaries = nodes.filter((_, index) => /role:master/.test(infos[index]!));
      const linked = infos.filter((info) => /master_link_status:up/.test(info));
      if (primaries.length !== 1 || linked.length !== 2) return null;
      const views = await Promise.all(nodes.map(({ host }) => this.#view(host)));
      const { host } = primaries[0]!;
      const agree = views.every(
        (view) =>
          view.get('ip') === host &&
          view.get('flags') === 'master' &&
          view.get('num-slaves') === '2' &&
          view.get('num-other-sentinels') === '2',
      );
      return agree ? true : null;
    });
  }

  async #view(host: string): Promise<Map<string, string>> {
    const fields = (await this.#ask({ host, port: SENTINEL_PORT }, 'SENTINEL', 'MASTER', GROUP)) as string[];
    const pairs = fields.flatMap((name, index) => (index % 2 === 0 ? [[name, fields[index + 1]!] as const] : []));
    return new Map(pairs);
  }
}
