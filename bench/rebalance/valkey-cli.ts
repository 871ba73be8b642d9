/**
 * The way without Valkeeper: processes with the settings of Valkeeper's nodes, and `valkey-cli --cluster` with `create`,
 * `add-node`, `rebalance` and `del-node`.
 */
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SLOT_COUNT } from '../../src/domain/slots.ts';
import {
  adminOf,
  createCluster,
  FIRST_PORT,
  killServers,
  runCluster,
  startServer,
  type Template,
  wordOf,
} from '../support/cli-cluster.ts';
import type { Engine } from '../support/fleet.ts';
import { type Address, accepts } from '../support/formation.ts';
import type { Stage } from '../support/stage.ts';
import { Nodes } from './nodes.ts';
import { isSpread, ownersIn } from './slots.ts';
import type { System, Target } from './system.ts';

const SHARDS = 3;
/** Of what it wrote, when it did not do what it was to. */
const SAID_CHARACTERS = 2_000;

interface Member extends Address {
  id: string;
}

/** What processes are started with. */
export interface Surroundings {
  engine: Engine;
  /** Of a database of three shards with a replica each. */
  templates: readonly Template[];
  password: string | null;
}

export class ValkeyCli implements System {
  readonly nodes: Nodes;
  readonly target: Target;
  readonly #around: Surroundings;
  readonly #dir = mkdtempSync(join(tmpdir(), 'valkeeper-rebalance-'));
  readonly #words: readonly string[];
  readonly #servers: ChildProcess[] = [];
  /** All that belong to the cluster; a primary beyond the first three with its replica comes last. */
  #members: Member[] = [];

  private constructor(around: Surroundings, words: readonly string[]) {
    this.#around = around;
    this.#words = words;
    this.nodes = new Nodes(adminOf(around.templates[0]!));
    const addresses = around.templates.map(({ host }, index) => ({ host, port: FIRST_PORT + index }));
    this.target = { way: 'cluster', addresses, password: around.password };
  }

  /** `words` are said to `rebalance` besides. */
  static async start(stage: Stage, around: Surroundings, words: readonly string[]): Promise<ValkeyCli> {
    const system = new ValkeyCli(around, words);
    stage.after(() => system.#end());
    const addresses: Address[] = [];
    for (let index = 0; index < 2 * SHARDS; index += 1) addresses.push(await system.#startServer());
    await createCluster(system.#program, system.#credentials, addresses);
    await system.nodes.untilMet(addresses);
    for (const address of addresses) {
      system.#members.push({ ...address, id: await system.nodes.id(address) });
    }
    return system;
  }

  addresses(): Promise<Address[]> {
    return Promise.resolve(this.#members);
  }

  async change(shards: number): Promise<void> {
    if (shards > SHARDS) await this.#grow();
    else await this.#shrink();
  }

  async #grow(): Promise<void> {
    const known = wordOf(this.#members[0]!);
    const primary = await this.#add(known);
    await this.#add(known, '--cluster-replica', '--cluster-primary-id', primary.id);
    await this.#rebalance(SHARDS + 1, '--cluster-use-empty-primaries');
  }

  async #shrink(): Promise<void> {
    const [primary, replica] = this.#members.slice(2 * SHARDS) as [Member, Member];
    await this.#rebalance(SHARDS, '--cluster-weight', `${primary.id}=0`);
    for (const leaving of [replica, primary]) {
      await this.#run('del-node', wordOf(this.#members[0]!), leaving.id);
      this.#members = this.#members.filter((member) => member !== leaving);
    }
    await this.nodes.untilMet(this.#members);
    await killServers(this.#servers.splice(2 * SHARDS));
  }

  /** Another node, once everybody knows it. */
  async #add(known: string, ...words: string[]): Promise<Member> {
    const address = await this.#startServer();
    await this.#run('add-node', wordOf(address), known, ...words);
    const member = { ...address, id: await this.nodes.id(address) };
    this.#members.push(member);
    const replicated = words.length === 0 ? this.#members.slice(0, -1) : this.#members;
    await this.nodes.untilMet(this.#members, replicated);
    return member;
  }

  /** It ends with 0 also where slots did not move. */
  async #rebalance(shards: number, ...words: string[]): Promise<void> {
    const first = this.#members[0]!;
    const said = await this.#run('rebalance', wordOf(first), ...words, ...this.#words);
    const owned = await this.nodes.owned(first);
    if (isSpread(owned, shards)) return;
    const shares = ownersIn(owned).map(({ slots }) => slots);
    throw new Error(
      `not ${SLOT_COUNT} slots over ${shards}, but ${shares.join(', ')}:\n${said.slice(-SAID_CHARACTERS)}`,
    );
  }

  async #run(command: string, ...words: string[]): Promise<string> {
    return (await runCluster(this.#program, this.#credentials, command, ...words)).output;
  }

  get #program(): string {
    return this.#around.engine.cliPath!;
  }

  get #credentials() {
    return adminOf(this.#around.templates[0]!);
  }

  /** The next process, once it accepts connections. */
  async #startServer(): Promise<Address> {
    const { engine, templates } = this.#around;
    const index = this.#servers.length;
    const template = templates[index % templates.length]!;
    const address = { host: template.host, port: FIRST_PORT + index };
    rmSync(join(this.#dir, `${index}`), { recursive: true, force: true });
    this.#servers.push(startServer(engine.serverPath, join(this.#dir, `${index}`), template, address));
    await accepts(address);
    return address;
  }

  async #end(): Promise<void> {
    this.nodes.close();
    await killServers(this.#servers);
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
