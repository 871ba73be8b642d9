/** Where the data lies: room, inodes, and whether what is written stays. */
import { formatSize } from '../../domain/size.ts';
import { type Check, ok, unknown, type Verdict } from '../check.ts';
import type { DiskFacts, HostFacts } from '../facts.ts';

const LEAST_FREE_BYTES = 512 * 1024 ** 2;
const LEAST_FREE_INODES = 1_000;
/** A node writes its log every second; a sync that takes longer than this makes it wait. */
const SLOW_SYNC_MS = 100;
const PERCENT = 100;
const FEW_PERCENT = 10;

/** Nothing on these outlives a reboot. */
const IN_MEMORY = ['tmpfs', 'ramfs'];
/** Over these a sync may be a promise, and a lock may be none. */
const REMOTE = ['nfs', 'nfs4', 'cifs', 'smb3', '9p', 'fuse.sshfs'];

/** A check of the disk, once that could be looked at. */
const onDisk =
  (look: (disk: DiskFacts, facts: HostFacts) => Verdict): Check['look'] =>
  (facts) =>
    'problem' in facts.disk
      ? unknown(`${facts.disk.path} could not be looked at: ${facts.disk.problem}`)
      : look(facts.disk, facts);

const share = (part: number, whole: number): number => (whole === 0 ? PERCENT : Math.floor((part / whole) * PERCENT));

const room: Check = {
  name: 'disk-room',
  about: 'free space of the data directory',
  why: 'A node whose disk is full refuses writes. A log that is rewritten, or a snapshot, lies beside the old one until it is whole.',
  judged: `Warning when less is free than the host has memory, or less than ${FEW_PERCENT} %; problem below ${formatSize(LEAST_FREE_BYTES)}.`,
  look: onDisk(({ path, freeBytes, totalBytes }, { memoryBytes }) => {
    const says = `${formatSize(freeBytes)} of ${formatSize(totalBytes)} are free at ${path}`;
    const now = `du -xh --max-depth=2 ${path} | sort -h | tail`;
    if (freeBytes < LEAST_FREE_BYTES) return { level: 'problem', says, now };
    const short = freeBytes < memoryBytes ? `${says}, less than the ${formatSize(memoryBytes)} of memory` : says;
    const few = freeBytes < memoryBytes || share(freeBytes, totalBytes) < FEW_PERCENT;
    return few ? { level: 'warning', says: short, now } : ok(says);
  }),
};

const inodes: Check = {
  name: 'disk-inodes',
  about: 'free inodes of the data directory',
  why: 'Without one no file can be made, whatever space is free: no new log, no snapshot, no state of the control plane.',
  judged: `Warning when less than ${FEW_PERCENT} % are free; problem below ${LEAST_FREE_INODES}.`,
  look: onDisk(({ path, freeInodes, totalInodes }) => {
    if (totalInodes === 0) return ok('this file system does not count them');
    const says = `${freeInodes} of ${totalInodes} inodes are free at ${path}`;
    const now = `du -x --inodes --max-depth=3 ${path} | sort -n | tail`;
    if (freeInodes < LEAST_FREE_INODES) return { level: 'problem', says, now };
    return share(freeInodes, totalInodes) < FEW_PERCENT ? { level: 'warning', says, now } : ok(says);
  }),
};

const sync: Check = {
  name: 'disk-sync',
  about: 'writing to the data directory, and fsync',
  why: 'What was confirmed is durable only when it was synced. A sync that fails loses it, one that is slow makes writers wait.',
  judged: `Warning when a small write and its fsync take longer than ${SLOW_SYNC_MS} ms; problem when they fail or the file system is read-only.`,
  look: onDisk(({ path, readOnly, sync: result }) => {
    if (readOnly)
      return { level: 'problem', says: `${path} is read-only`, now: `mount -o remount,rw "$(stat -c %m ${path})"` };
    if ('problem' in result)
      return { level: 'problem', says: `${path} cannot be written: ${result.problem}`, now: `ls -ld ${path}` };
    const says = `a write and its fsync took ${result.ms.toFixed(1)} ms`;
    return result.ms > SLOW_SYNC_MS ? { level: 'warning', says, now: 'iostat -x 1' } : ok(says);
  }),
};

const kind: Check = {
  name: 'disk-kind',
  about: 'file system of the data directory',
  why: 'In memory nothing outlives a reboot. On a file system of another host, syncs and locks are only as good as the network, and each write waits for it.',
  judged: 'Warning when it lies in memory (tmpfs) or on another host (NFS, SMB).',
  look: onDisk(({ path, fileSystem }) => {
    if (fileSystem === null) return unknown(`/proc/self/mounts does not tell what ${path} is`);
    const says = `${path} is ${fileSystem}`;
    const bad = IN_MEMORY.includes(fileSystem) || REMOTE.includes(fileSystem);
    return bad ? { level: 'warning', says, now: 'df -hlT -x tmpfs -x devtmpfs' } : ok(says);
  }),
};

/** In the order they are told. */
export const DISK_CHECKS: readonly Check[] = [room, inodes, sync, kind];
