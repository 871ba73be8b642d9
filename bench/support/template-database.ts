/**
 * One real database, asked once what the control plane asks of every node, as the pattern for many that are simulated:
 * its record, and what each node answered.
 */
import { ADMIN_USER, type Database } from '../../src/domain/database.ts';
import type { NodeId } from '../../src/domain/ids.ts';
import { pathsIn, runningServer } from '../../src/main/data-dir.ts';
import { waitForExit } from '../../src/main/processes.ts';
import type { Reply } from '../../src/resp/reply.ts';
import { openSqliteStore } from '../../src/store/sqlite.ts';
import { observeNode } from '../../src/valkey/admin.ts';
import { type NodeCommands, NodeConnection } from '../../src/valkey/connection.ts';
import { Fleet } from './fleet.ts';

const ADDRESS_BASE = '127.0.64.11';
const NAME = 'main';
const EXIT_MS = 10_000;
const CONNECT_MS = 2_000;
const MAX_QUEUED = 16;

/** Answers by command, its words separated by spaces. */
export type Answers = ReadonlyMap<string, Reply>;

export interface TemplateDatabase {
  engineVersion: string;
  record: Database;
  answers: ReadonlyMap<NodeId, Answers>;
}

/** Makes the database, asks its nodes, and takes everything down again. */
export async function templateDatabase(): Promise<TemplateDatabase> {
  await using fleet = new Fleet(ADDRESS_BASE);
  const { version: engineVersion } = await fleet.engine();
  await fleet.up();
  await fleet.untilReady(NAME);
  const record = await recordIn(fleet.dataDir);
  const answers = new Map<NodeId, Answers>();
  for (const node of record.nodes) answers.set(node.id, await answersOf(record, node));
  return { engineVersion, record, answers };
}

/** The store belongs to the server, which ends alone: agents and nodes go on. */
async function recordIn(dataDir: string): Promise<Database> {
  const server = runningServer(dataDir)!;
  process.kill(server.pid, 'SIGQUIT');
  if ((await waitForExit([server], EXIT_MS)).length > 0) throw new Error(`the server did not end in ${EXIT_MS} ms`);
  const store = openSqliteStore(pathsIn(dataDir).store);
  try {
    return (await store.get<Database>(`databases/${NAME}`))!.value;
  } finally {
    await store.close();
  }
}

async function answersOf({ secrets }: Database, { host, port }: Database['nodes'][number]): Promise<Answers> {
  const connection = new NodeConnection({
    ...{ host, port, username: ADMIN_USER, password: secrets.adminPassword },
    ...{ connectTimeoutMs: CONNECT_MS, commandTimeoutMs: CONNECT_MS, maxQueued: MAX_QUEUED },
  });
  const answers = new Map<string, Reply>();
  const recording: NodeCommands = {
    commandTimeoutMs: connection.commandTimeoutMs,
    command: (...args) => connection.command(...args),
    pipeline: async (commands) => {
      const replies = await connection.pipeline(commands);
      for (const [index, words] of commands.entries()) answers.set(words.join(' '), replies[index]!);
      return replies;
    },
  };
  try {
    await observeNode(recording);
    return answers;
  } finally {
    connection.close();
  }
}
