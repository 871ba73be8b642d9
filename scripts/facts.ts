/** Asks an engine about its commands and rewrites the tables of src/proxy/commands. */
import { writeFileSync } from 'node:fs';
import { NodeConnection } from '../src/valkey/connection.ts';
import { testEngine } from '../test/support/engine.ts';
import { startEngine } from '../test/support/start-engine.ts';
import { commandTables } from './command-tables.ts';

const { version } = await testEngine();
const engine = await startEngine({ after: () => {} });
try {
  const { host, port } = engine;
  const limits = { connectTimeoutMs: 5_000, commandTimeoutMs: 10_000, maxQueued: 10 };
  const connection = new NodeConnection({ host, port, ...limits });
  const commands = await connection.command('COMMAND');
  const docs = await connection.command('COMMAND', 'DOCS');
  connection.close();
  for (const [name, text] of commandTables(commands, docs, version)) {
    writeFileSync(new URL(`../${name}`, import.meta.url), text);
  }
} finally {
  await engine.stop();
}
