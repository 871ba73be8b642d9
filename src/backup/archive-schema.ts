/** What the documents of an archive say: its layouts and its chains. A reader passes over fields that it does not know. */
import { z } from 'zod';
import { ValkeeperError } from '../domain/errors.ts';
import { isNodeId } from '../domain/ids.ts';
import { MANIFEST_FIELDS, secretsSchema, wordsOf } from './manifest-schema.ts';

const { text, name, count, slotRange, spec, part } = MANIFEST_FIELDS;

/** Raised with every change that an older reader would misread. */
export const ARCHIVE_FORMAT = 1;
const format = z.literal(ARCHIVE_FORMAT);

/** Which shards had which slots from a moment on, and what else a database is made with. Times are whole seconds since the epoch. */
export const layoutSchema = z.object({
  format,
  from: count,
  /** Up to then the layout before was known to hold. */
  previousUntil: count,
  isMoving: z.boolean(),
  database: z.object({ name, uid: text, spec, generation: count }),
  engineVersion: text,
  valkeeperVersion: text,
  shards: z.array(z.object({ name, slots: z.array(slotRange) })),
  /** Only where the archive is encrypted. */
  secrets: secretsSchema.optional(),
});
export type LayoutDocument = z.output<typeof layoutSchema>;

/** One node's data at a moment, and where its log goes on from there. */
export const chainSchema = z.object({
  format,
  id: text,
  shard: name,
  node: z.string().refine(isNodeId, 'is no node id'),
  machine: text,
  /** Of its process: of another the log may not go on. */
  life: text,
  /** Of the data, as the engine names it (replication id). */
  history: text,
  ownedFrom: count,
  baseAt: count,
  /** Numbers of the engine's files: the data's, and the first of the log's. */
  baseSeq: count,
  firstSeq: count,
  base: part,
});
export type ChainDocument = z.output<typeof chainSchema>;

/** What stands before the bytes of a piece of a log, as one line. */
export const pieceSchema = z.object({
  /** Bytes of memory that the node's data took then. */
  dataBytes: count,
});

/** @throws backup_damaged */
export function readDocument<T extends z.ZodType>(schema: T, object: string, bytes: Uint8Array): z.output<T> {
  const damaged = (problem: string): ValkeeperError =>
    new ValkeeperError('backup_damaged', { what: `The object ${object}`, problem });
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    throw damaged('it is no JSON');
  }
  const version = (parsed as { format?: unknown } | null)?.format;
  if (typeof version === 'number' && version > ARCHIVE_FORMAT) {
    throw new ValkeeperError('backup_format_newer', { version, known: ARCHIVE_FORMAT });
  }
  const checked = schema.safeParse(parsed);
  if (!checked.success) throw damaged(wordsOf(checked.error));
  return checked.data;
}
