/**
 * A node's data and its log become one RDB: an engine of its own, that nobody can reach but this machine, loads both and
 * saves. It knows no other node; a cluster's node that is alone takes slots for the keys that it has, and removes none.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { identify, type ProcessIdentity } from '../platform/process-identity.ts';
import { LOG_FOLDER, SNAPSHOT } from './data-damage.ts';
import { signal } from './process-end.ts';
import { formatConf } from './valkey-conf.ts';

const BASE = 'appendonly.aof.1.base.rdb';
const LOG = 'appendonly.aof.1.incr.aof';
const MANIFEST = `file ${BASE} seq 1 type b\nfile ${LOG} seq 1 type i\n`;
const PROCESS = 'process.json';
const HOST = '127.0.0.1';
const READY = 'Ready to accept connections';
/** Loading and saving together; a log has to be huge to need longer. */
const DEADLINE_MS = 50 * 60_000;
const LINES_IN_ERROR = 6;
const LONGEST_LINE = 300;

/**
 * @param folder one that is made and removed again
 * @param rdb path of the data, which becomes the result
 * @param log path of the log; it is used up
 * @throws Error with the engine's own words
 */
export async function replay(enginePath: string, folder: string, rdb: string, log: string): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, LOG_FOLDER), { recursive: true, mode: 0o700 });
  renameSync(rdb, join(folder, LOG_FOLDER, BASE));
  renameSync(log, join(folder, LOG_FOLDER, LOG));
  writeFileSync(join(folder, LOG_FOLDER, 'appendonly.aof.manifest'), MANIFEST, { mode: 0o600 });
  writeFileSync(join(folder, 'valkey.conf'), confText(await freePort()), { mode: 0o600 });
  try {
    await loadAndSave(enginePath, folder);
    renameSync(join(folder, SNAPSHOT), rdb);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** An engine that an agent of before has left behind is ended. */
export function endReplay(folder: string): void {
  try {
    signal(JSON.parse(readFileSync(join(folder, PROCESS), 'utf8')) as ProcessIdentity, 'SIGKILL');
  } catch {
    // It had not begun, or is over.
  }
}

/** The port is only for the cluster's bus, which nobody comes to; commands have a socket here, and nobody sends any. */
const confText = (busPort: number): string =>
  formatConf([
    ['port', '0'],
    ['bind', HOST],
    ['cluster-port', String(busPort)],
    ['unixsocket', './socket'],
    ['unixsocketperm', '700'],
    ['cluster-enabled', 'yes'],
    ['cluster-databases', '16'],
    ['appendonly', 'yes'],
    ['aof-load-truncated', 'no'],
    ['auto-aof-rewrite-percentage', '0'],
    ['maxmemory', '0'],
    ['save', ''],
    // Its end is its work: asked to end, it saves.
    ['shutdown-on-sigterm', 'save'],
    ['daemonize', 'no'],
    ['pidfile', ''],
    ['logfile', ''],
  ]);

/** Resolves when it has saved and ended. */
function loadAndSave(enginePath: string, folder: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(enginePath, ['valkey.conf'], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    const lines: string[] = [];
    let isReady = false;
    let isLate = false;
    const found = child.pid === undefined ? null : identify(child.pid);
    if (found) writeFileSync(join(folder, PROCESS), JSON.stringify(found), { mode: 0o600 });
    const deadline = setTimeout(() => {
      isLate = true;
      child.kill('SIGKILL');
    }, DEADLINE_MS);
    const hear = (line: string): void => {
      lines.push(line.slice(0, LONGEST_LINE));
      if (lines.length > LINES_IN_ERROR) lines.shift();
      if (isReady || !line.includes(READY)) return;
      isReady = true;
      child.kill('SIGTERM');
    };
    createInterface({ input: child.stdout }).on('line', hear);
    createInterface({ input: child.stderr }).on('line', hear);
    child.once('error', reject);
    child.once('close', (code, name) => {
      clearTimeout(deadline);
      const isSaved = statSync(join(folder, SNAPSHOT), { throwIfNoEntry: false }) !== undefined;
      if (isReady && code === 0 && isSaved) return resolve();
      const how = isLate
        ? `it took longer than ${DEADLINE_MS / 60_000} minutes`
        : name
          ? `ended by ${name}`
          : `exit code ${code}`;
      reject(new Error(`an engine that was to load the data and its log did not (${how}): ${lines.join(' | ')}`));
    });
  });
}

async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ host: HOST, port: 0 }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
