/**
 * What a backup's manifest says. Within one format version fields may be added: a reader passes over those that it does
 * not know, and of a spec, what is not said is as by default.
 */
import { z } from 'zod';
import { isName, isNodeId } from '../domain/ids.ts';
import { countSlots, SLOT_COUNT, type SlotRange } from '../domain/slots.ts';
import { type DatabaseSpec, DEFAULT_SPEC } from '../domain/spec.ts';
import { specInputSchema } from '../protocol/api.ts';
import { COMPRESSIONS } from './part.ts';

const TEXT_CHARS = 200;

const text = z.string().min(1).max(TEXT_CHARS);
const name = z.string().refine(isName, 'is no name');
const count = z.int().min(0);
const time = z.iso.datetime();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'is no SHA-256');
/** A file name of its own wherever it is put: no folders, nothing hidden, no `..`. */
const partName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}(\.[a-z0-9-]{1,16}){0,3}$/, 'is no file name');

const slotRange = z
  .tuple([z.int().min(0), z.int().max(SLOT_COUNT - 1)])
  .refine(([from, to]) => from <= to, 'ends before it begins')
  .transform((range): SlotRange => range);

const spec = z.object(specInputSchema.shape).transform((said): DatabaseSpec => {
  const known = Object.entries(said).filter(([, value]) => value !== undefined);
  return { ...DEFAULT_SPEC, ...Object.fromEntries(known) };
});

const part = z.object({
  name: partName,
  rawBytes: count,
  rawSha256: sha256,
  storedBytes: count,
  storedSha256: sha256,
  compression: z.enum(COMPRESSIONS),
  encrypted: z.boolean(),
});

const shard = z.object({
  name,
  /** Those its primary owned; none where it was about to go. */
  slots: z.array(slotRange),
  part,
  /** Who sent it, and what it was then. */
  node: z.string().refine(isNodeId, 'is no node id'),
  machine: text,
  role: z.enum(['primary', 'replica']),
  /** Of the history that `offset` counts in. */
  replicationId: z.string().regex(/^[0-9a-f]{40}$/, 'is no replication id'),
  offset: count,
  keys: count,
  /** Bytes of memory that its data took there; 0 where nobody knows. */
  dataBytes: count.default(0),
  /** When it was asked for, of which moment it is, and when its last byte came; in ms since the epoch. */
  startedAt: count,
  forkedAt: count,
  endedAt: count,
});

/** What other documents say in the same way. */
export const MANIFEST_FIELDS = { text, name, count, slotRange, spec, part };

const manifest = z.object({
  id: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9-]{0,79}$/, 'is no id of a backup'),
  createdAt: time,
  endedAt: time,
  database: z.object({ name, uid: text, spec, generation: count, aclMark: text.optional() }),
  engineVersion: text,
  valkeeperVersion: text,
  rdbVersion: z.int().min(1),
  shards: z.array(shard).min(1),
  /** Between the first and the last moment that a shard is of. */
  skewMs: count,
  /** What FUNCTION DUMP answered, in base64; null when there are no functions. */
  functions: z.base64().nullable(),
  /** Of the key it is encrypted with, as `keyIdOf` has it; null when it is not encrypted. */
  keyId: z
    .string()
    .regex(/^[0-9a-f]{8}$/, 'is no key id')
    .nullable(),
  labels: z.object({ trigger: z.enum(['asked', 'schedule']) }),
});

/** Passwords. The one of Valkeeper's own user is not among them: a database that is made of a backup gets another. */
export const secretsSchema = z.object({
  /** Of the user `default`; null when there is none. */
  password: z.string().nullable(),
  /** Of the users of the spec, by name. */
  users: z.record(z.string(), z.string()),
});

export type BackupSecrets = z.output<typeof secretsSchema>;
export type ManifestBody = z.output<typeof manifest>;

/** What is written of a manifest: the secrets are sealed apart. */
export const manifestSchema = manifest.superRefine((body, context) => {
  for (const message of mistakesIn(body)) context.addIssue({ code: 'custom', message });
});

/** What its fields say against each other. */
function mistakesIn({ shards, keyId }: ManifestBody): string[] {
  const mistakes: string[] = [];
  if (hasTwice(shards.map((one) => one.name))) mistakes.push('two shards have one name');
  if (hasTwice(shards.map((one) => one.part.name))) mistakes.push('two shards have one part');
  if (shards.some((one) => one.part.encrypted !== (keyId !== null))) {
    mistakes.push('not all of it is encrypted, or not as it says');
  }
  const slots = shards.flatMap((one) => one.slots).sort(([a], [b]) => a - b);
  const overlap = slots.find(([from], index) => index > 0 && from <= slots[index - 1]![1]);
  if (overlap !== undefined) mistakes.push(`two shards have the slot ${overlap[0]}`);
  else if (countSlots(slots) !== SLOT_COUNT) mistakes.push(`it has ${countSlots(slots)} of ${SLOT_COUNT} slots`);
  return mistakes;
}

const hasTwice = (names: readonly string[]): boolean => new Set(names).size !== names.length;

/** The first thing that is wrong, in words. */
export function wordsOf({ issues }: z.ZodError): string {
  const [{ path, message } = { path: [], message: 'unknown' }] = issues;
  return path.length === 0 ? message : `${path.join('.')}: ${message}`;
}
