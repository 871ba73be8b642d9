/** A node's directory: what it is made of, what its processes left there, and what its disk says. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { ValkeeperError } from '../domain/errors.ts';
import type { DiskView, ProcessView } from '../domain/view.ts';
import { fileError, writeFileAtomic } from '../platform/files.ts';
import type { ProcessIdentity } from '../platform/process-identity.ts';
import type { NodeConfig } from '../protocol/agent-messages.ts';
import { isMyself, parseNodesConf } from '../valkey/cluster-nodes.ts';
import { isEmptyRdb, RDB_HEAD_BYTES } from './rdb-empty.ts';
import { type Directive, formatConf } from './valkey-conf.ts';

/** What an agent must remember of a node: who it is, its process, and how the last one ended. */
export interface Manifest {
  config: Pick<NodeConfig, 'id' | 'database' | 'databaseUid' | 'port' | 'adminPassword'>;
  /** Null when none was started or the last one is known to have ended. */
  process: (ProcessIdentity & { bootId: string }) | null;
  lastExit: Extract<ProcessView, { state: 'exited' }> | null;
}

const MANIFEST = 'node.json';
const TRASH_PREFIX = '.removed-';
const NEW_PREFIX = '.new-';

export class NodeDirectory {
  readonly path: string;
  manifest: Manifest;

  constructor(path: string, manifest: Manifest) {
    this.path = path;
    this.manifest = manifest;
  }

  get nodesConfPath(): string {
    return join(this.path, 'nodes.conf');
  }

  get logPath(): string {
    return join(this.path, 'valkey.log');
  }

  async save(change: Partial<Manifest>): Promise<void> {
    this.manifest = { ...this.manifest, ...change };
    await writeFileAtomic(join(this.path, MANIFEST), JSON.stringify(this.manifest));
  }

  readNodesConf(): string {
    return existsSync(this.nodesConfPath) ? readFileSync(this.nodesConfPath, 'utf8') : '';
  }

  /** Last lines of the engine's log, at most `lines`. */
  async logTail(lines: number): Promise<string> {
    return tail(this.logPath, lines);
  }

  /** What lies here. Read from files: true of a node that does not run, a little old of one that does. */
  disk(): DiskView {
    const own = parseNodesConf(this.readNodesConf())?.nodes.find(isMyself);
    const claim = own
      ? { role: own.role, primaryId: own.primaryId, slots: own.slots, configEpoch: own.configEpoch }
      : null;
    return { hasData: this.#hasData(), claim };
  }

  /** Out of sight at once, then gone: a crash in between leaves nothing that looks like a node. */
  remove(): void {
    const trash = join(this.path, '..', `${TRASH_PREFIX}${this.manifest.config.id}`);
    rmSync(trash, { recursive: true, force: true });
    renameSync(this.path, trash);
    rmSync(trash, { recursive: true, force: true });
  }

  #hasData(): boolean {
    const appendOnly = join(this.path, 'appendonlydir');
    const logs = existsSync(appendOnly) ? readdirSync(appendOnly).map((name) => join(appendOnly, name)) : [];
    const snapshots = [join(this.path, 'dump.rdb'), ...logs.filter((name) => name.endsWith('.rdb'))];
    return (
      logs.some((name) => name.endsWith('.aof') && sizeOf(name) > 0) ||
      snapshots.some((name) => sizeOf(name) > 0 && !isEmptyRdb(head(name)))
    );
  }
}

const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

const head = (path: string): Buffer => readFileSync(path).subarray(0, RDB_HEAD_BYTES);

/** The node directories in a folder; what a crash left half made or half removed is cleared away. */
export function scanNodes(folder: string): NodeDirectory[] {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const found: NodeDirectory[] = [];
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (name.startsWith(TRASH_PREFIX) || name.startsWith(NEW_PREFIX)) rmSync(path, { recursive: true, force: true });
    else found.push(new NodeDirectory(path, JSON.parse(readFileSync(join(path, MANIFEST), 'utf8')) as Manifest));
  }
  return found;
}

/**
 * Makes a node's directory, whole or not at all.
 * @param address where the node listens
 * @throws file_unusable
 */
export function makeNode(folder: string, config: NodeConfig, address: string): NodeDirectory {
  const path = join(folder, config.id);
  const draft = join(folder, `${NEW_PREFIX}${config.id}`);
  const { id, database, databaseUid, port, adminPassword } = config;
  const manifest: Manifest = {
    config: { id, database, databaseUid, port, adminPassword },
    process: null,
    lastExit: null,
  };
  const files: Record<string, string> = {
    'valkey.conf': formatConf([...ownDirectives(path, address, port), ...config.directives]),
    'users.acl': config.aclFile,
    'nodes.conf': config.nodesConf,
    [MANIFEST]: JSON.stringify(manifest),
  };
  try {
    rmSync(draft, { recursive: true, force: true });
    mkdirSync(draft, { recursive: true, mode: 0o700 });
    for (const [name, text] of Object.entries(files)) writeFileSync(join(draft, name), text, { mode: 0o600 });
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    throw error instanceof RangeError
      ? new ValkeeperError('invalid_value', {
          field: 'directives',
          problem: error.message,
          remedy: 'Correct the spec.',
        })
      : fileError('write', path, error);
  }
  return new NodeDirectory(path, manifest);
}

/** What the agent decides: where the node lives and where it listens. */
const ownDirectives = (path: string, address: string, port: number): Directive[] => [
  ['port', String(port)],
  ['bind', address],
  ['dir', path],
  ['logfile', 'valkey.log'],
  ['pidfile', ''],
  ['daemonize', 'no'],
  ['supervised', 'no'],
  // Admission is the ACL's work; protected mode would refuse a database that is meant to be open on loopback.
  ['protected-mode', 'no'],
  ['aclfile', join(path, 'users.acl')],
  ['cluster-enabled', 'yes'],
  ['cluster-config-file', 'nodes.conf'],
  ['cluster-announce-ip', address],
  // How its primary lists it in INFO: by the address others know, not by the one its connection happens to have.
  ['replica-announce-ip', address],
];

/** Longest end of a log that is read. */
const TAIL_BYTES = 512 * 1024;

/** Last lines of a file; empty when there is none. */
export async function tail(path: string, lines: number): Promise<string> {
  if (!existsSync(path)) return '';
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const length = Math.min(size, TAIL_BYTES);
    const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.toString('utf8').trimEnd().split('\n').slice(-lines).join('\n');
  } finally {
    await file.close();
  }
}
