/**
 * Fetches what a shard's primary has added to its append-only log, into the shard's chain. Where the log does not go on
 * from what is there (another primary, another process, a log that was written anew), a new chain begins with its data.
 * Of a log that was written anew the old chain goes on until it reaches the moment with which the new one begins.
 */
import { randomBytes } from 'node:crypto';
import type { LogPiece } from '../../backup/archive-names.ts';
import { ARCHIVE_FORMAT } from '../../backup/archive-schema.ts';
import type { NodeAssignment } from '../../domain/database.ts';
import { ValkeeperError } from '../../domain/errors.ts';
import { shortId } from '../../domain/ids.ts';
import type { AgentRequests, AppendLogFile } from '../../protocol/agent-messages.ts';
import { RDB_HEADER_BYTES, rdbHeader } from '../../valkey/rdb-header.ts';
import type { Agents } from '../agents.ts';
import type { Rate } from '../backups/rate.ts';
import type { Shelf, ShelvedChain } from './shelf.ts';

/** Of one object, before it is packed; it is kept in memory meanwhile. */
const PIECE_BYTES = 8 * 1024 ** 2;
const REQUEST_MS = 30_000;
/** A chain of so many pieces is long to read: its node is to write its log anew, with which a new chain begins. */
const MOST_PIECES = 2_000;
/**
 * What was answered so long ago is in the log. The engine lets a write to its log wait for the disk for two seconds, and
 * may be held up by it from the moment on at which it answered the look before the list, which takes a second at most; and
 * a second that is not over is not whole.
 */
const SETTLED_SECONDS = 4;

export type Listing = AgentRequests['list_append_log']['result'];

export interface FetchSurroundings {
  agents: Pick<Agents, 'request'>;
  shelf: Shelf;
  /** Of all shards together. */
  rate: Rate;
  signal: AbortSignal;
}

/** A shard's primary and its log. */
export interface Source {
  shard: string;
  node: NodeAssignment;
  /** Of its data, as the engine names it. */
  history: string;
  dataBytes: number;
  listing: Listing;
  /** It was the primary before the log was listed, and afterwards as well. */
  isOwner: boolean;
}

/** A chain that is to be begun. */
export interface Beginning {
  /** The number of the first file of its log. */
  firstSeq: number;
  /** Stores its data, and its log as far as it was listed. */
  run: () => Promise<ShelvedChain>;
}

/**
 * The files of a node's log.
 * @param own the shard's chains, the one that was begun last first
 * @param beginning the number of the first file of a chain that is being begun; null: none is
 */
export function listLog(
  agents: Pick<Agents, 'request'>,
  { id, machine }: NodeAssignment,
  own: readonly ShelvedChain[],
  beginning: number | null = null,
): Promise<Listing> {
  const wanted = own.filter((chain, index) => chain.node === id && (index === 0 || isBehind(chain, own[0]!)));
  const numbers = wanted.map(({ way }) => way.next.seq);
  const from = Math.min(beginning ?? Number.MAX_SAFE_INTEGER, ...numbers);
  const [newest] = wanted;
  const isLong = beginning === null && (newest?.pieces.length ?? 0) >= MOST_PIECES;
  return agents.request(machine, 'list_append_log', { id, from, isLong }, REQUEST_MS);
}

/** It does not reach the moment with which the next one begins: what lies between would be missing. */
export const isBehind = (older: ShelvedChain, newest: ShelvedChain): boolean => older.until < newest.baseAt;

/**
 * Brings the shard's chain up to the listing, and one before it as far as is needed to leave nothing out.
 * @param own the shard's chains, the one that was begun last first
 * @param done called with each chain that is longer than before
 * @returns what begins a new chain, which may take long; null: the present one goes on
 * @throws append_log_unusable, agent_away, agent_timeout, backup_store_unusable, the signal's reason
 */
export async function fetchLog(
  around: FetchSurroundings,
  source: Source,
  own: readonly ShelvedChain[],
  done: (chain: ShelvedChain) => void,
): Promise<Beginning | null> {
  const { listing, node } = source;
  const base = listing.files.find(({ type, isPresent }) => type === 'base' && isPresent);
  const first = listing.files.find(({ type, isPresent }) => type === 'incr' && isPresent);
  if (!base?.name.endsWith('.rdb') || !first) {
    const reason = 'it has no data that it could begin with yet';
    throw new ValkeeperError('append_log_unusable', { node: node.id, machine: node.machine, reason });
  }
  const [current] = own;
  const growing = own.filter((chain) => goesOn(chain, source) && (chain === current || isBehind(chain, current!)));
  for (const chain of growing) await extend(around, source, chain, done);
  if (current && growing.includes(current) && current.document.baseSeq === base.seq) return null;
  const run = async () => extend(around, source, await begin(around, source, base, first.seq), () => {});
  return { firstSeq: first.seq, run };
}

/**
 * A primary that changed places with a copy was fetched from a moment before: what it had then is still in its log, and the
 * chain of the copy may begin later. It goes on writing the same file while it follows in sync; in a file that it began
 * since then, data may be that came by another way.
 */
export async function finishChain(
  around: FetchSurroundings,
  source: Source,
  chain: ShelvedChain,
  done: (chain: ShelvedChain) => void,
): Promise<void> {
  const { listing, node } = source;
  const { document, way, missing } = chain;
  const newest = listing.files.filter(({ type }) => type === 'incr').at(-1);
  if (missing !== null || document.node !== node.id || document.life !== listing.life) return;
  if (newest?.seq !== way.next.seq || newest.bytes < way.next.offset) return;
  await extend(around, { ...source, listing: { ...listing, files: [newest] } }, chain, done);
}

/** Whether the log now is the one that the chain has so far, and more of it. */
function goesOn({ document, way, missing }: ShelvedChain, { node, history, listing }: Source): boolean {
  const { next } = way;
  const file = listing.files.find(({ type, seq }) => type === 'incr' && seq === next.seq);
  return (
    missing === null &&
    document.node === node.id &&
    document.life === listing.life &&
    document.history === history &&
    file !== undefined &&
    file.bytes >= next.offset
  );
}

async function begin(
  around: FetchSurroundings,
  source: Source,
  base: AppendLogFile,
  firstSeq: number,
): Promise<ShelvedChain> {
  const { shard, node, history, listing } = source;
  const ownedFrom = Math.floor(listing.at / 1_000);
  const id = `${ownedFrom}-${shortId(node.id)}-${randomBytes(3).toString('hex')}`;
  let head = Buffer.alloc(0);
  const data = async function* () {
    for await (const chunk of read(around, source, base, 0)) {
      if (head.length < RDB_HEADER_BYTES) head = Buffer.concat([head, chunk.subarray(0, RDB_HEADER_BYTES)]);
      yield chunk;
    }
  };
  const facts = await around.shelf.addBase(shard, id, data(), around.signal);
  const baseAt = Number(rdbHeader(head)?.fields.get('ctime'));
  if (!Number.isInteger(baseAt)) {
    const reason = `its file ${base.name} does not tell of which moment it is`;
    throw new ValkeeperError('append_log_unusable', { node: node.id, machine: node.machine, reason });
  }
  return around.shelf.begin({
    ...{ format: ARCHIVE_FORMAT, id, shard, node: node.id, machine: node.machine, life: listing.life, history },
    ...{ ownedFrom, baseAt, baseSeq: base.seq, firstSeq, base: { name: 'base', ...facts } },
  });
}

/** All that is listed and is not in the chain yet, piece by piece; each is there as a whole or not at all. */
async function extend(
  around: FetchSurroundings,
  source: Source,
  chain: ShelvedChain,
  done: (chain: ShelvedChain) => void,
): Promise<ShelvedChain> {
  const { listing, dataBytes, isOwner } = source;
  const files = listing.files.filter(({ type, seq }) => type === 'incr' && seq >= chain.way.next.seq);
  const until = isOwner ? Math.floor(listing.at / 1_000) - SETTLED_SECONDS : 0;
  let longer = chain;
  for (const [index, file] of files.entries()) {
    const isNewest = index === files.length - 1;
    const add = async (piece: LogPiece, bytes: Buffer): Promise<void> => {
      around.signal.throwIfAborted();
      longer = await around.shelf.addPiece(longer, piece, { bytes, dataBytes });
      done(longer);
    };
    let { offset } = longer.way.next;
    do {
      const bytes = Math.min(PIECE_BYTES, file.bytes - offset);
      const isEnd = offset + bytes === file.bytes;
      // A log that has nothing new needs no word of it where the word would say nothing.
      if (bytes === 0 && isNewest && until <= longer.until) break;
      // What is known of before still holds, and this piece may replace the one that said so.
      const piece = {
        seq: file.seq,
        offset,
        bytes,
        until: isEnd && isNewest ? Math.max(until, longer.until) : longer.until,
        isLast: isEnd && !isNewest,
      };
      await add(piece, await gathered(read(around, source, { ...file, bytes: offset + bytes }, offset), bytes));
      offset += bytes;
    } while (offset < file.bytes);
  }
  return longer;
}

async function gathered(chunks: AsyncIterable<Buffer>, size: number): Promise<Buffer> {
  const all = Buffer.allocUnsafe(size);
  let filled = 0;
  for await (const chunk of chunks) filled += chunk.copy(all, filled);
  return all;
}

/** A file as far as it was listed. @throws append_log_unusable when it has become shorter */
const read = ({ agents, rate, signal }: FetchSurroundings, { node }: Source, file: AppendLogFile, from: number) =>
  rate.of(
    (async function* () {
      for (let offset = from; offset < file.bytes; ) {
        signal.throwIfAborted();
        const { id, machine } = node;
        const { data } = await agents.request(machine, 'read_append_log', { id, file: file.name, offset }, REQUEST_MS);
        const bytes = Buffer.from(data, 'base64').subarray(0, file.bytes - offset);
        if (bytes.length === 0) {
          throw new ValkeeperError('append_log_unusable', {
            node: id,
            machine,
            reason: `${file.name} has become shorter`,
          });
        }
        offset += bytes.length;
        yield bytes;
      }
    })(),
  );
