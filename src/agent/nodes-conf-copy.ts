/**
 * A node's nodes.conf and the copy that is kept of it, with a checksum. Without its own nodes.conf a process does not
 * start, or starts as a stranger; the copy brings it back as itself. Only a file that is whole and of this node is ever
 * copied. What the copy says may be a few seconds old.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { NodeId } from '../domain/ids.ts';
import { writeFileAtomic } from '../platform/files.ts';
import { type ClusterNodeLine, isMyself, parseNodesConf } from '../valkey/cluster-nodes.ts';

export const NODES_CONF = 'nodes.conf';
const COPY = 'nodes.conf.copy';
/** Where a damaged one goes, for a person to look at; one at most. */
const DAMAGED = 'nodes.conf.damaged';

/** A text of nodes.conf that is whole and of this node. */
export interface OwnNodesConf {
  text: string;
  /** What it says of the node itself. */
  line: ClusterNodeLine;
  /** The file itself is missing, damaged or of another node: this is from the copy. */
  isCopy: boolean;
}

/** The node's nodes.conf, or else its copy; null when neither is whole and of this node. */
export function ownNodesConf(folder: string, id: NodeId): OwnNodesConf | null {
  const text = read(join(folder, NODES_CONF));
  const line = ownLine(text, id);
  if (line) return { text, line, isCopy: false };
  const copied = unsealed(read(join(folder, COPY)));
  const copiedLine = ownLine(copied, id);
  return copiedLine ? { text: copied, line: copiedLine, isCopy: true } : null;
}

/** Its nodes.conf is whole, and of another node. */
export function isForeign(folder: string, id: NodeId): boolean {
  const line = parseNodesConf(read(join(folder, NODES_CONF)))?.nodes.find(isMyself);
  return line !== undefined && line.id !== id;
}

/** Copies nodes.conf, if it has changed, is whole, and of this node. @throws file_unusable */
export async function keepNodesConf(folder: string, id: NodeId): Promise<void> {
  if (!isNewer(join(folder, NODES_CONF), join(folder, COPY))) return;
  const own = ownNodesConf(folder, id);
  if (!own || own.isCopy) return;
  const copy = sealed(own.text);
  const path = join(folder, COPY);
  if (read(path) !== copy) await writeFileAtomic(path, copy);
}

/**
 * Puts the copy in the place of a nodes.conf that is missing, damaged or of another node.
 * @returns how it is now: `whole` as it was, `restored` from the copy, or `lost`. @throws file_unusable
 */
export async function mendNodesConf(folder: string, id: NodeId): Promise<'whole' | 'restored' | 'lost'> {
  const own = ownNodesConf(folder, id);
  if (!own) return 'lost';
  if (!own.isCopy) return 'whole';
  keepDamaged(folder);
  await writeFileAtomic(join(folder, NODES_CONF), own.text);
  return 'restored';
}

/** What is about to be replaced stays to be looked at. */
export function keepDamaged(folder: string): void {
  const path = join(folder, NODES_CONF);
  if (existsSync(path)) renameSync(path, join(folder, DAMAGED));
}

/** Written after the other was, or in the same tenth of a second: times of files are that coarse, and clocks are set. */
function isNewer(path: string, other: string): boolean {
  const [one, two] = [path, other].map((name) => statSync(name, { throwIfNoEntry: false })?.mtimeMs);
  return one !== undefined && (two === undefined || one > two - 100 || two > Date.now());
}

const read = (path: string): string => (existsSync(path) ? readFileSync(path, 'utf8') : '');

function ownLine(text: string, id: NodeId): ClusterNodeLine | null {
  const line = parseNodesConf(text)?.nodes.find(isMyself);
  return line?.id === id ? line : null;
}

const checksum = (text: string): string => createHash('sha256').update(text).digest('hex');

/** The checksum is the first line. */
const sealed = (text: string): string => `${checksum(text)}\n${text}`;

/** Empty when it is not what was sealed. */
function unsealed(copy: string): string {
  const end = copy.indexOf('\n');
  const text = copy.slice(end + 1);
  return end > 0 && copy.slice(0, end) === checksum(text) ? text : '';
}
