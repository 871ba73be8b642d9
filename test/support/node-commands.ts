/**
 * Commands to nodes of a machine, sent on the machine's own host, as a process: with what its agent has on disk, so also
 * while the host is cut off. The argument is JSON, see `NodeCommands`; writes the replies as JSON, an error's as its text.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RosterContent } from '../../src/agent/roster.ts';
import { pathsIn } from '../../src/main/data-dir.ts';
import { MachineCredentials } from '../../src/trust/credential-files.ts';
import { Engines } from '../../src/valkey/engines.ts';

export interface NodeCommands {
  /** The machine's data directory, and its name. */
  home: string;
  machine: string;
  /** One after the other. */
  commands: { node: string; words: string[] }[];
}

const { home, machine, commands } = JSON.parse(process.argv[2]!) as NodeCommands;
const roster = JSON.parse(readFileSync(join(home, 'machines', machine, 'roster.json'), 'utf8')) as RosterContent;
const credentials = new MachineCredentials(pathsIn(home).credentials).current;
const engines = new Engines(() => credentials);
const replies: string[] = [];
for (const { node, words } of commands) {
  const database = roster.databases.find(({ nodes }) => nodes.some(({ id }) => id === node))!;
  const place = database.nodes.find(({ id }) => id === node)!;
  const reply = engines.connection(database.adminPassword, place).command(...words);
  replies.push(await reply.then(String, (error: Error) => error.message));
}
engines.close();
console.log(JSON.stringify(replies));
