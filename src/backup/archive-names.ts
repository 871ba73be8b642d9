/**
 * How the objects of an archive are named: what a list of names shows is all that a reader needs to know what there is.
 *
 *     _archive/DATABASE/UID/layouts/FROM                            which shards had which slots
 *     _archive/DATABASE/UID/shards/SHARD/CHAIN/base                 a node's data, a part as of a backup
 *     _archive/DATABASE/UID/shards/SHARD/CHAIN/chain                what the chain is; written when its base is there
 *     _archive/DATABASE/UID/shards/SHARD/CHAIN/log/SEQ-OFFSET-BYTES-UNTIL-more   a piece of its log
 */
import type { Blob } from './blob-store.ts';

/** No name of a database begins so. */
const ROOT = '_archive';
const DIGITS = { seq: 8, offset: 15, bytes: 10, time: 12 };

const padded = (value: number, digits: number): string => String(value).padStart(digits, '0');

/** What the names of all archives of databases of this name begin with. */
export const archivesPrefix = (database: string): string => `${ROOT}/${database}/`;
/** Of one archive: what the names of all its objects begin with. */
export const archivePrefix = (database: string, uid: string): string => `${archivesPrefix(database)}${uid}/`;
/** Of the layout that holds from this second on. @param archive its prefix */
export const layoutName = (archive: string, from: number): string => `${archive}layouts/${padded(from, DIGITS.time)}`;
/** What the names of a chain's objects begin with. @param archive its prefix */
export const chainPrefix = (archive: string, shard: string, id: string): string => `${archive}shards/${shard}/${id}/`;
/** Of the data that a chain begins with. @param chain its prefix */
export const baseName = (chain: string): string => `${chain}base`;
/** Of what says what a chain is. @param chain its prefix */
export const chainName = (chain: string): string => `${chain}chain`;

/** A piece of a chain's log. */
export interface LogPiece {
  /** Which of the engine's files it is from; they follow one another. */
  seq: number;
  /** Where in it. */
  offset: number;
  bytes: number;
  /** With it all that was done up to this second is there; 0 where that is not known. */
  until: number;
  /** The file has no more: the next piece is from the next one. */
  isLast: boolean;
}

/** Of a piece of a chain's log. @param chain its prefix */
export const logName = (chain: string, { seq, offset, bytes, until, isLast }: LogPiece): string =>
  `${chain}log/${padded(seq, DIGITS.seq)}-${padded(offset, DIGITS.offset)}-${padded(bytes, DIGITS.bytes)}-${padded(until, DIGITS.time)}-${isLast ? 'last' : 'more'}`;

const LOG = /^log\/(\d{8})-(\d{15})-(\d{10})-(\d{12})-(last|more)$/;
const CHAIN = /^shards\/([^/]+)\/([^/]+)\/(.+)$/;

/** A chain as its objects' names show it. */
export interface ListedChain {
  shard: string;
  id: string;
  prefix: string;
  hasBase: boolean;
  hasChain: boolean;
  pieces: LogPiece[];
  /** When the first of its objects was put, in ms since the epoch. */
  putAt: number;
}

/** What lies in an archive's place. */
export interface ListedArchive {
  /** Names, in order of time. */
  layouts: string[];
  chains: ListedChain[];
}

/** @param archive its prefix */
export function listedArchive(archive: string, blobs: readonly Blob[]): ListedArchive {
  const chains = new Map<string, ListedChain>();
  const layouts: string[] = [];
  for (const { name, modifiedAt } of blobs) {
    const rest = name.slice(archive.length);
    if (rest.startsWith('layouts/')) layouts.push(name);
    const [, shard, id, what = ''] = CHAIN.exec(rest) ?? [];
    if (shard === undefined || id === undefined) continue;
    const prefix = chainPrefix(archive, shard, id);
    const chain = chains.get(prefix) ?? {
      ...{ shard, id, prefix, hasBase: false, hasChain: false, pieces: [], putAt: modifiedAt },
    };
    chains.set(prefix, chain);
    chain.putAt = Math.min(chain.putAt, modifiedAt);
    if (what === 'base') chain.hasBase = true;
    else if (what === 'chain') chain.hasChain = true;
    else chain.pieces.push(...pieceOf(what));
  }
  return { layouts: layouts.sort(), chains: [...chains.values()] };
}

function pieceOf(name: string): LogPiece[] {
  const [, seq, offset, bytes, until, end] = LOG.exec(name) ?? [];
  if (seq === undefined) return [];
  const [at, size, time] = [Number(offset), Number(bytes), Number(until)];
  return [{ seq: Number(seq), offset: at, bytes: size, until: time, isLast: end === 'last' }];
}

/** Of a piece what is not in those before it. */
export interface WayPiece extends LogPiece {
  /** So many of its first bytes were in those before. */
  skip: number;
}

/** The pieces that follow one another without a hole, in order, and where the next one would begin. */
export interface LogWay {
  pieces: WayPiece[];
  next: { seq: number; offset: number };
  /** What all of them together reach; 0: nothing. */
  until: number;
  /** There are pieces that do not follow: some between are missing. */
  hasHole: boolean;
}

/**
 * The way through the pieces of a chain. Pieces may overlap where two servers have written them, one of which did not
 * know yet that it leads no longer: they are of the same log.
 */
export function logWay(all: readonly LogPiece[], firstSeq: number): LogWay {
  const sorted = all.filter(({ seq }) => seq >= firstSeq).sort((a, b) => a.seq - b.seq || a.offset - b.offset);
  const way: WayPiece[] = [];
  const next = { seq: firstSeq, offset: 0 };
  let until = 0;
  let best: LogPiece | null = null;
  let ended = false;
  let index = 0;
  for (;;) {
    const piece = sorted[index];
    if (piece && piece.seq === next.seq && piece.offset <= next.offset) {
      index += 1;
      // All that comes before its offset is there already: of what it says only its own bytes may be still to come.
      if (piece.bytes === 0) until = Math.max(until, piece.until);
      if (piece.offset + piece.bytes <= next.offset) ended ||= piece.isLast;
      else if (!best || endOf(piece) > endOf(best) || (endOf(piece) === endOf(best) && piece.isLast)) best = piece;
    } else if (best && endOf(best) > next.offset) {
      way.push({ ...best, skip: next.offset - best.offset });
      until = Math.max(until, best.until);
      ended = best.isLast;
      next.offset = endOf(best);
      best = null;
    } else if (ended) {
      next.seq += 1;
      next.offset = 0;
      [best, ended] = [null, false];
    } else return { pieces: way, next, until, hasHole: piece !== undefined };
  }
}

const endOf = ({ offset, bytes }: LogPiece): number => offset + bytes;
