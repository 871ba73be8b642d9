/** A database as it was at a moment, out of an archive: what of it is needed, all of it read and checked before anything is begun. */
import { createHash } from 'node:crypto';
import type { LayoutDocument } from '../../backup/archive-schema.ts';
import { cutLog, LogDamage } from '../../backup/log-cut.ts';
import { momentOf, type Span } from '../../domain/archive.ts';
import { ValkeeperError } from '../../domain/errors.ts';
import type { Restore, Seed } from '../../domain/restore.ts';
import { chainAt, isWithin, steadyTimes, windowOf } from '../../plan/archive-window.ts';
import { isReadable } from '../../valkey/rdb-checksum.ts';
import { RDB_HEADER_BYTES, rdbHeader } from '../../valkey/rdb-header.ts';
import type { RestoreSource, SourceShard } from '../backups/restore-source.ts';
import { type Holdings, Shelf, type ShelvedChain } from './shelf.ts';

const SHOWN_SPANS = 5;

/**
 * Reads all that is needed of it.
 * @param at whole seconds since the epoch: what was done in this second is in it
 * @throws moment_not_reachable, backup_damaged, backup_key_missing, backup_key_wrong, backup_store_unusable, rdb_unreadable
 */
export async function archiveSource(
  { shelf, database, uid, place }: { shelf: Shelf; database: string; uid: string; place: string },
  at: number,
): Promise<RestoreSource> {
  const holdings = await shelf.read();
  const layout = layoutAt(holdings, database, at);
  const shards = await Promise.all(
    layout.shards
      .filter(({ slots }) => slots.length > 0)
      .map(async ({ name, slots }): Promise<SourceShard> => {
        const chain = chainAt(holdings.chains, name, at)!; // it is in the window
        return { slots, ...(await readAll(shelf, chain, at)) };
      }),
  );
  const { spec } = layout.database;
  const archive = { database, uid, at };
  const id = `${database} at ${momentOf(at)}`;
  return { kind: 'archive', id, place, archive, shards, spec, secrets: layout.secrets ?? null };
}

/** The layout that held then. @throws moment_not_reachable, backup_damaged */
function layoutAt({ layouts, chains, damaged }: Holdings, name: string, at: number): LayoutDocument {
  const window = windowOf(layouts, chains);
  const found = steadyTimes(layouts).find(({ span }) => span.from <= at && at <= span.to)?.layout;
  if (found && isWithin(window, at)) return found;
  if (damaged[0]) throw damaged[0];
  const hurt = chains.find(({ missing, baseAt }) => missing !== null && baseAt <= at);
  if (found && hurt) {
    const problem = `${hurt.missing} is missing, without which ${momentOf(at)} cannot be restored`;
    throw new ValkeeperError('backup_damaged', {
      what: `The chain ${hurt.id} of ${hurt.shard} in the archive of ${name}`,
      problem,
    });
  }
  const [first, last] = [window[0]?.from ?? 0, window.at(-1)?.to ?? 0];
  const reason =
    at > last || window.length === 0
      ? 'it is later than what was fetched'
      : at < first
        ? 'it is earlier than what is kept'
        : found
          ? 'not all of the log of that time was fetched'
          : 'slots were on their way to other shards then';
  throw new ValkeeperError('moment_not_reachable', { name, at: momentOf(at), reason, window: shown(window) });
}

/** The latest of them. */
const shown = (window: readonly Span[]): string =>
  window
    .slice(-SHOWN_SPANS)
    .map(({ from, to }) => `${momentOf(from)} to ${momentOf(to)}`)
    .join(', ') || 'nothing yet';

/** What a chain has of the moment, read to the end. */
async function readAll(shelf: Shelf, chain: ShelvedChain, at: number): Promise<{ seed: Seed; dataBytes: number }> {
  const { rawBytes, rawSha256 } = chain.document.base;
  let head = Buffer.alloc(0);
  for await (const chunk of await shelf.base(chain)) {
    if (head.length < RDB_HEADER_BYTES) head = Buffer.concat([head, chunk]);
  }
  const version = rdbHeader(head.subarray(0, RDB_HEADER_BYTES))?.version ?? 0;
  if (!isReadable(version)) {
    const reason = `its version ${version} is not one that the engine reads`;
    throw new ValkeeperError('rdb_unreadable', { path: `${chain.prefix}base`, reason });
  }
  const hash = createHash('sha256');
  let bytes = 0;
  let dataBytes = 0;
  const log = logUntil(shelf, chain, at, (said) => {
    dataBytes = said;
  });
  for await (const part of log) {
    bytes += part.length;
    hash.update(part);
  }
  const seed = { part: chain.id, bytes: rawBytes, sha256: rawSha256 };
  return { seed: bytes === 0 ? seed : { ...seed, log: { bytes, sha256: hash.digest('hex') } }, dataBytes };
}

/** A chain's log up to the moment. @throws backup_damaged and where */
async function* logUntil(
  shelf: Shelf,
  chain: ShelvedChain,
  at: number,
  noted: (dataBytes: number) => void = () => {},
): AsyncGenerator<Buffer> {
  try {
    yield* cutLog(
      shelf.log(chain, (_, { dataBytes }) => noted(dataBytes)),
      at,
    );
  } catch (error) {
    if (!(error instanceof LogDamage)) throw error;
    throw new ValkeeperError('backup_damaged', {
      what: `The log of the chain ${chain.id} of ${chain.shard}`,
      problem: error.message,
    });
  }
}

/** What a node is to begin with, as the record of a restore names it. @throws backup_damaged when it is gone */
export async function openArchiveSeed(
  { place, archive }: Restore,
  { part }: Seed,
  keys: readonly Buffer[],
): Promise<{ rdb: AsyncIterable<Uint8Array>; log: AsyncIterable<Uint8Array> }> {
  const { database, uid, at } = archive!;
  const shelf = await Shelf.open(place, { name: database, uid }, keys);
  const chain = (await shelf.read()).chains.find(({ id }) => id === part);
  if (!chain)
    throw new ValkeeperError('backup_damaged', {
      what: `The archive of ${database}`,
      problem: `it has no chain ${part} any more`,
    });
  return { rdb: await shelf.base(chain), log: logUntil(shelf, chain, at) };
}
