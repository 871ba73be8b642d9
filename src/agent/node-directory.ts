/** A node's directory: what it is made of, what its processes left there, and what its disk says. */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { aclMarkOf } from '../domain/database.ts';
import { ValkeeperError } from '../domain/errors.ts';
import { isNodeId, type NodeId } from '../domain/ids.ts';
import { type TlsFiles, tlsDirectives } from '../domain/tls-directives.ts';
import {
  type CutView,
  type DamageView,
  type DiskView,
  type ProcessView,
  type Settings,
  WHOLE_FILES,
} from '../domain/view.ts';
import { keepsSnapshots, logsEveryWrite, MANAGED_SETTINGS } from '../plan/settings.ts';
import { fileError, readJson, writeFileAtomic } from '../platform/files.ts';
import type { ProcessIdentity } from '../platform/process-identity.ts';
import type { NodeConfig } from '../protocol/agent-messages.ts';
import { LOG_FOLDER, logFiles, SNAPSHOT, StartLog, silentDamage } from './data-damage.ts';
import { type OwnNodesConf, ownNodesConf } from './nodes-conf-copy.ts';
import { isEmptyRdb, RDB_HEAD_BYTES } from './rdb-empty.ts';
import { type Directive, formatConf, parseConf } from './valkey-conf.ts';

/** What an agent must remember of a node: who it is, its process, and how the last one ended. */
export interface Manifest {
  config: Pick<NodeConfig, 'id' | 'database' | 'databaseUid' | 'port' | 'tls' | 'adminPassword'>;
  /** Null when none was started or the last one is known to have ended. */
  process: (ProcessIdentity & { bootId: string }) | null;
  lastExit: Extract<ProcessView, { state: 'exited' }> | null;
  /** Absent when nothing of its log was ever cut off. */
  cut?: CutView;
}

const MANIFEST = 'node.json';
const CONF = 'valkey.conf';
const USERS = 'users.acl';
/** After the name of data that cannot be loaded; one of each at most. */
const DAMAGED_SUFFIX = '.damaged';
/** A start may rely on a snapshot of this age: the engine's own are as old before they are replaced. */
const FRESH_SNAPSHOT_MS = 60_000;
const TRASH_PREFIX = '.removed-';
const NEW_PREFIX = '.new-';

export class NodeDirectory {
  readonly path: string;
  readonly startLog: StartLog;
  manifest: Manifest;
  #saving: Promise<unknown> = Promise.resolve();

  constructor(path: string, manifest: Manifest) {
    this.path = path;
    this.manifest = manifest;
    this.startLog = new StartLog(path, this.logPath);
  }

  get logPath(): string {
    return join(this.path, 'valkey.log');
  }

  /** Remembers at once, and on disk when it resolves; writes follow one another, so that the last one stays. @throws file_unusable */
  save(change: Partial<Manifest>): Promise<void> {
    this.manifest = { ...this.manifest, ...change };
    const saved = this.#saving.then(() => writeFileAtomic(join(this.path, MANIFEST), JSON.stringify(this.manifest)));
    this.#saving = saved.catch(() => {});
    return saved;
  }

  /** Its nodes.conf, or the copy of it; null when neither is whole and of this node. */
  nodesConf(): OwnNodesConf | null {
    return ownNodesConf(this.path, this.manifest.config.id);
  }

  /** Last lines of the engine's log, at most `lines`. */
  async logTail(lines: number): Promise<string> {
    return tail(this.logPath, lines);
  }

  /**
   * What lies here. Read from files: true of a node that does not run, a little old of one that does. What cannot be
   * read (`onDamage` is told) may hold data: nothing is made of it that an empty one would allow.
   */
  disk(onDamage: (error: unknown) => void): DiskView {
    try {
      return this.#readDisk();
    } catch (error) {
      onDamage(error);
      return { hasData: true, dataAt: null, claim: null, ...WHOLE_FILES, settings: null, aclMark: null };
    }
  }

  #readDisk(): DiskView {
    const own = this.nodesConf();
    const { role, primaryId, slots, configEpoch } = own?.line ?? {};
    const claim = role ? { role, primaryId: primaryId!, slots: slots!, configEpoch: configEpoch! } : null;
    const settings = this.#settings();
    const files = this.#dataFiles(settings);
    const dataAt = files.length > 0 ? Math.max(...files.map(modifiedMs)) : null;
    return {
      hasData: files.some(holdsSomething),
      dataAt,
      claim,
      claimIsOld: own?.isCopy === true,
      damage: this.#damage(settings),
      cut: this.manifest.cut ?? null,
      settings,
      aclMark: this.#aclMark(),
    };
  }

  /** What a start could not load, or would pass over in silence; null when nothing is known. */
  damage(): DamageView | null {
    return this.#damage(this.#settings());
  }

  #damage(settings: Settings | null): DamageView | null {
    if (!logsEveryWrite(settings)) return this.startLog.damage([]);
    return silentDamage(this.path) ?? this.startLog.damage(logFiles(this.path) ?? []);
  }

  /** What a start would load is put aside, in the place of what was put there before. @throws file_unusable */
  setDataAside(): void {
    const path = join(this.path, logsEveryWrite(this.#settings()) ? LOG_FOLDER : SNAPSHOT);
    if (!existsSync(path)) return;
    try {
      rmSync(`${path}${DAMAGED_SUFFIX}`, { recursive: true, force: true });
      renameSync(path, `${path}${DAMAGED_SUFFIX}`);
    } catch (error) {
      throw fileError('write', path, error);
    }
  }

  /** Writes valkey.conf, whole or not at all. `tls`: its files, for a node that speaks it. @throws file_unusable, invalid_value */
  async writeConf(directives: readonly Directive[], address: string, tls: TlsFiles | null): Promise<void> {
    const { port } = this.manifest.config;
    const text = confText([...directives, ...ownDirectives(this.path, address, port, tls)], 'configure_node');
    await writeFileAtomic(join(this.path, CONF), text);
  }

  /** Writes the ACL file, whole or not at all. @throws file_unusable */
  async writeUsers(text: string): Promise<void> {
    await writeFileAtomic(join(this.path, USERS), text);
  }

  /**
   * What a start with these directives would need to find the data that is kept now; null: it would find it.
   * @param now milliseconds since the epoch
   */
  lacksYet(directives: readonly Directive[], now: number): 'append-only file' | 'fresh snapshot' | null {
    const next = Object.fromEntries(directives.map(([name, ...args]) => [name, args.join(' ')]));
    if (logsEveryWrite(next)) {
      return existsSync(join(this.path, LOG_FOLDER)) ? null : 'append-only file';
    }
    if (!keepsSnapshots(next) || keepsSnapshots(this.#settings())) return null;
    return now - modifiedMs(join(this.path, SNAPSHOT)) <= FRESH_SNAPSHOT_MS ? null : 'fresh snapshot';
  }

  /**
   * The engine loads whatever snapshot it finds. Where neither a log nor snapshots are wanted, one that was left behind
   * would bring old data back: it is put aside, one at most, for a person to decide about.
   */
  setAsideSnapshot(): void {
    const path = join(this.path, SNAPSHOT);
    const settings = this.#settings();
    if (settings === null || logsEveryWrite(settings) || keepsSnapshots(settings) || !existsSync(path)) return;
    renameSync(path, `${path}.aside`);
  }

  #aclMark(): string | null {
    const path = join(this.path, USERS);
    if (!existsSync(path)) return null;
    return aclMarkOf(
      readFileSync(path, 'utf8')
        .match(/^user (\S+)/gm)
        ?.map((line) => line.slice(5)) ?? [],
    );
  }

  #settings(): Settings | null {
    const path = join(this.path, CONF);
    if (!existsSync(path)) return null;
    const present = parseConf(readFileSync(path, 'utf8'));
    return Object.fromEntries(
      MANAGED_SETTINGS.flatMap((name) => (present.has(name) ? [[name, present.get(name)!]] : [])),
    );
  }

  /** Out of sight at once, then gone: a crash in between leaves nothing that looks like a node. */
  async remove(): Promise<void> {
    await this.#saving;
    const trash = join(this.path, '..', `${TRASH_PREFIX}${this.manifest.config.id}`);
    rmSync(trash, { recursive: true, force: true });
    renameSync(this.path, trash);
    rmSync(trash, { recursive: true, force: true });
  }

  /** What the engine would read at its start: with an append-only file it ignores snapshots; without either, one is put aside. */
  #dataFiles(settings: Settings | null): string[] {
    if (logsEveryWrite(settings)) {
      const log = join(this.path, LOG_FOLDER);
      return existsSync(log) ? readdirSync(log).map((name) => join(log, name)) : [];
    }
    const snapshot = join(this.path, SNAPSHOT);
    return keepsSnapshots(settings) && existsSync(snapshot) ? [snapshot] : [];
  }
}

/** Of a file that is not there: 0. */
const modifiedMs = (path: string): number => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;

/** A snapshot with more than its header, or a log with anything. */
function holdsSomething(path: string): boolean {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (path.endsWith('.rdb')) return size > 0 && !isEmptyRdb(head(path));
  return path.endsWith('.aof') && size > 0;
}

/** The file's beginning, as much of it as decides. */
function head(path: string): Buffer {
  const file = openSync(path, 'r');
  try {
    const buffer = Buffer.alloc(RDB_HEAD_BYTES);
    return buffer.subarray(0, readSync(file, buffer, 0, RDB_HEAD_BYTES, 0));
  } finally {
    closeSync(file);
  }
}

/**
 * The node directories in a folder; what a crash left half made or half removed is cleared away.
 * @throws file_damaged, file_unusable: a node that cannot be read must not count as absent, for then it would count as dead
 */
export async function scanNodes(folder: string): Promise<NodeDirectory[]> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const found: NodeDirectory[] = [];
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (name.startsWith(TRASH_PREFIX) || name.startsWith(NEW_PREFIX)) rmSync(path, { recursive: true, force: true });
    else if (isNodeId(name)) found.push(new NodeDirectory(path, await readManifest(path, name)));
  }
  return found;
}

async function readManifest(path: string, id: NodeId): Promise<Manifest> {
  const file = join(path, MANIFEST);
  const manifest = (await readJson(file)) as Partial<Manifest> | null | undefined;
  if (manifest?.config?.id !== id) {
    throw new ValkeeperError('file_damaged', { path: file, problem: `it does not describe the node ${id}` });
  }
  const { config } = manifest as Manifest;
  return { ...(manifest as Manifest), config: { ...config, tls: config.tls ?? false } }; // one of a time before has none
}

/**
 * Makes a node's directory, whole or not at all.
 * @param address where the node listens
 * @param tls its files, for a node that speaks it
 * @throws file_unusable, invalid_value
 */
export function makeNode(
  folder: string,
  config: NodeConfig,
  address: string,
  tls: TlsFiles | null,
  seed: string | null = null,
): NodeDirectory {
  const path = join(folder, config.id);
  const draft = join(folder, `${NEW_PREFIX}${config.id}`);
  const { id, database, databaseUid, port, adminPassword } = config;
  const manifest: Manifest = {
    config: { id, database, databaseUid, port, tls: tls !== null, adminPassword },
    process: null,
    lastExit: null,
  };
  const files: Record<string, string> = {
    // The engine believes the last of two lines: the agent's own come last.
    [CONF]: confText([...config.directives, ...ownDirectives(path, address, port, tls)], 'create_node'),
    [USERS]: config.aclFile,
    'nodes.conf': config.nodesConf,
    [MANIFEST]: JSON.stringify(manifest),
  };
  try {
    rmSync(draft, { recursive: true, force: true });
    mkdirSync(draft, { recursive: true, mode: 0o700 });
    for (const [name, text] of Object.entries(files)) writeFileSync(join(draft, name), text, { mode: 0o600 });
    if (seed !== null) renameSync(seed, join(draft, SNAPSHOT));
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    throw fileError('write', path, error);
  }
  return new NodeDirectory(path, manifest);
}

function confText(directives: readonly Directive[], operation: string): string {
  try {
    return formatConf(directives);
  } catch (error) {
    const problem = (error as RangeError).message;
    throw new ValkeeperError('invalid_value', {
      field: `${operation}.directives`,
      problem,
      remedy: 'Correct the spec.',
    });
  }
}

/** What the agent decides: where the node lives and where it listens. */
const ownDirectives = (path: string, address: string, port: number, tls: TlsFiles | null): Directive[] => [
  ...(tls === null ? [['port', String(port)] as const] : tlsDirectives(tls, port)),
  ['bind', address],
  ['dir', path],
  ['logfile', 'valkey.log'],
  ['pidfile', ''],
  ['daemonize', 'no'],
  ['supervised', 'no'],
  // Admission is the ACL's work; protected mode would refuse a database that is meant to be open on loopback.
  ['protected-mode', 'no'],
  ['aclfile', join(path, USERS)],
  ['cluster-enabled', 'yes'],
  ['cluster-config-file', 'nodes.conf'],
  // A log that lost its end is told and mended like every other damage, not cut in silence.
  ['aof-load-truncated', 'no'],
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
