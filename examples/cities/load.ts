/**
 * Loads every place of the world with 1,000 inhabitants or more into a database, and asks for some of them again. The
 * README beside this file says how to run it.
 */
import { parseArgs } from 'node:util';
import { cities, cityIdOf, cityKey, geoKey, nameKey, nameRange, storeCommands } from './cities.ts';
import { CLIENTS, type ClientName, hashOf, inBatches } from './clients.ts';

const PREFIX = 'example';
const PROGRESS_COMMANDS = 20_000;

const { values, positionals } = parseArgs({
  options: { client: { type: 'string', default: 'ioredis' } },
  allowPositionals: true,
});
const connect = CLIENTS[values.client as ClientName];
if (!connect) throw new Error(`--client is one of ${Object.keys(CLIENTS).join(', ')}, not ${values.client}`);
const nodes = (positionals.length > 0 ? positionals : ['127.0.0.11:7000']).map((address) => {
  const [host = '', port] = address.split(':');
  return { host, port: Number(port) };
});
const client = await connect({ nodes, password: process.env.PASSWORD ?? null });

const startedAt = performance.now();
let sent = 0;
for await (const batch of inBatches(client, storeCommands(PREFIX, cities))) {
  if (Math.floor((sent + batch.length) / PROGRESS_COMMANDS) > Math.floor(sent / PROGRESS_COMMANDS))
    process.stderr.write(`${sent + batch.length} commands\n`);
  sent += batch.length;
}
const seconds = (performance.now() - startedAt) / 1_000;
console.log(`${cities.length} places stored by ${values.client} in ${seconds.toFixed(1)} s (${sent} commands).`);

// The places around Berlin, nearest first: one country's index, one shard.
const berlin = cities.find(({ name, country }) => name === 'Berlin' && country === 'DE')!;
const [longitude, latitude] = berlin.loc.coordinates.map(String) as [string, string];
const around = ['FROMLONLAT', longitude, latitude, 'BYRADIUS', '15', 'km', 'ASC', 'COUNT', '5'];
const [near] = await client.run([['GEOSEARCH', geoKey(PREFIX, 'DE'), ...around]]);
console.log('Around Berlin:', (await namesOf(near as string[])).join(', '));

// The places whose name begins with "heidel".
const [found] = await client.run([['ZRANGE', nameKey(PREFIX, 'DE'), ...nameRange('heidel'), 'BYLEX']]);
const ids = (found as string[]).map((entry) => String(cityIdOf(entry)));
console.log('Heidel...:', (await namesOf(ids)).join(', '));
client.close();

/** The places themselves lie in all shards: the client asks each for its own. */
async function namesOf(ids: readonly string[]): Promise<string[]> {
  const replies = await client.run(ids.map((id) => ['HGETALL', cityKey(PREFIX, { cityId: Number(id) })] as const));
  return replies.map((reply) => hashOf(reply).name!);
}
