/** What the suite is run against: an address that is there, one node of the engine, or the endpoint of a fleet's database. */
import { Fleet } from '../../bench/support/fleet.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { DirectNode } from './direct-node.ts';
import type { Address } from './run-unit.ts';

export interface Target extends AsyncDisposable {
  address: Address;
}

/** The suite gives no password. */
const DATABASE = ['--shards', '3', '--memory', '768mb', '--persistence', 'none', '--no-auth'];
const NAME = 'conformance';
/** The suite sets `bind` to this address and to ::1: the endpoint refuses that when its own is not among them. */
const ADDRESS_BASE = '127.0.0.1';

/** Somebody else's: nothing is started. */
export const existing = (address: Address): Target => ({ address, async [Symbol.asyncDispose]() {} });

/** What the baseline is made on. */
export async function direct(engine: Engine): Promise<Target> {
  const node = await DirectNode.start(engine);
  return { address: node, [Symbol.asyncDispose]: () => node[Symbol.asyncDispose]() };
}

/** A fleet of three machines with a database of three shards, and the database's endpoint. */
export async function throughEndpoint(): Promise<Target> {
  const fleet = new Fleet(ADDRESS_BASE);
  const stop = (): Promise<void> => fleet[Symbol.asyncDispose]();
  try {
    await fleet.up();
    await fleet.run('db', 'create', NAME, ...DATABASE);
    const { endpoint } = await fleet.client.database(NAME);
    if (endpoint === null) throw new Error('the database has no endpoint');
    return { address: { host: endpoint.host, port: endpoint.port }, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
