/** Who listens on which TCP port, from /proc. */
import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import type { Listener } from './facts.ts';

/** In /proc/net/tcp. */
const LISTEN_STATE = '0A';

/**
 * Every socket that listens; null when the kernel does not tell. Processes of other users are known to root only.
 * @param dataDir a process that works in it is ours
 */
export function listenersOf(proc: string, dataDir: string): Listener[] | null {
  const tables = ['net/tcp', 'net/tcp6'].flatMap((name) => {
    try {
      return [readFileSync(join(proc, name), 'utf8')];
    } catch {
      return []; // without IPv6 there is but one
    }
  });
  if (tables.length === 0) return null;
  const sockets = tables.flatMap((table) => table.split('\n').flatMap(listening));
  const owners = ownersOf(proc, new Set(sockets.map(({ inode }) => inode)));
  const root = realPath(dataDir);
  return sockets.map(({ port, inode }) => {
    const pid = owners.get(inode);
    return pid === undefined
      ? { port, pid: null, program: null, unit: null, ours: false }
      : { port, pid: Number(pid), ...processOf(proc, pid, root) };
  });
}

/** `  0: 0100007F:1CFC 00000000:0000 0A ...`: number, own and other address, state; the tenth is the inode. */
function listening(line: string): { port: number; inode: string }[] {
  const fields = line.trim().split(/\s+/);
  const [, address = '', , state] = fields;
  const inode = fields[9];
  if (state !== LISTEN_STATE || inode === undefined) return [];
  return [{ port: Number.parseInt(address.slice(address.lastIndexOf(':') + 1), 16), inode }];
}

/** The first process that has each socket open. */
function ownersOf(proc: string, inodes: ReadonlySet<string>): Map<string, string> {
  const owners = new Map<string, string>();
  for (const pid of entriesOf(proc).filter((name) => /^\d+$/.test(name))) {
    const folder = join(proc, pid, 'fd');
    for (const fd of entriesOf(folder)) {
      const inode = /^socket:\[(\d+)\]$/.exec(linkOf(join(folder, fd)) ?? '')?.[1];
      if (inode !== undefined && inodes.has(inode) && !owners.has(inode)) owners.set(inode, pid);
    }
  }
  return owners;
}

function processOf(proc: string, pid: string, root: string): Pick<Listener, 'program' | 'unit' | 'ours'> {
  const folder = linkOf(join(proc, pid, 'cwd'));
  return {
    program: textOf(join(proc, pid, 'comm'))?.trim() ?? null,
    unit: /\/([^/\n]+\.service)(?:\/|$)/m.exec(textOf(join(proc, pid, 'cgroup')) ?? '')?.[1] ?? null,
    ours: folder !== null && (folder === root || folder.startsWith(`${root}/`)),
  };
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // the process has ended, or is another user's
  }
}

function linkOf(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null; // as above
  }
}

function textOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null; // as above
  }
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path; // it is yet to be made: nobody works in it
  }
}
