/** An archive as it lies in its place: what there is, writing to it, and reading it back whole or not at all. */
import {
  archivePrefix,
  archivesPrefix,
  baseName,
  chainName,
  chainPrefix,
  type ListedChain,
  type LogPiece,
  type LogWay,
  layoutName,
  listedArchive,
  logName,
  logWay,
  type WayPiece,
} from '../../backup/archive-names.ts';
import {
  ARCHIVE_FORMAT,
  type ChainDocument,
  chainSchema,
  type LayoutDocument,
  layoutSchema,
  pieceSchema,
  readDocument,
} from '../../backup/archive-schema.ts';
import type { BlobStore } from '../../backup/blob-store.ts';
import { keyIdOf } from '../../backup/key.ts';
import { type PartFacts, partKeyId } from '../../backup/part.ts';
import { readPart } from '../../backup/part-reader.ts';
import { writePart } from '../../backup/part-writer.ts';
import { openPlace } from '../../backup/place.ts';
import { MOST_OBJECT_BYTES, openObject, sealObject } from '../../backup/sealed-object.ts';
import { ValkeeperError } from '../../domain/errors.ts';
import { DEFAULT_SPEC } from '../../domain/spec.ts';
import type { Chain } from '../../plan/archive-window.ts';

const LF = 0x0a;
/** What an interrupted chain left behind is removed when it is so old. */
const LEFTOVER_MS = 24 * 3_600_000;

/** A chain with all that is known of it. */
export interface ShelvedChain extends Chain {
  document: ChainDocument;
  prefix: string;
  way: LogWay;
  /** How its pieces are named, those too that are not on the way. */
  pieces: readonly LogPiece[];
  /** What is missing of it, in words; null: nothing. */
  missing: string | null;
}

/** What lies there. */
export interface Holdings {
  /** In order of time. */
  layouts: readonly LayoutDocument[];
  chains: readonly ShelvedChain[];
  /** What is not as it was written. */
  damaged: readonly ValkeeperError[];
}

/** Where slots were, nobody knows. */
const UNKNOWN_LAYOUT: Omit<LayoutDocument, 'from'> = {
  ...{ format: ARCHIVE_FORMAT, previousUntil: 0, isMoving: true, shards: [], engineVersion: '', valkeeperVersion: '' },
  database: { name: '', uid: '', spec: DEFAULT_SPEC, generation: 0 },
};

export class Shelf {
  readonly place: string;
  readonly #store: BlobStore;
  readonly #prefix: string;
  /** The present one first. */
  readonly #keys: readonly Buffer[];
  readonly #isEncrypted: boolean;

  private constructor(
    place: string,
    store: BlobStore,
    prefix: string,
    { keys, isEncrypted }: { keys: readonly Buffer[]; isEncrypted: boolean },
  ) {
    this.place = place;
    this.#store = store;
    this.#prefix = prefix;
    this.#keys = keys;
    this.#isEncrypted = isEncrypted;
  }

  /**
   * @param isEncrypted as it was begun: then nothing in it is believed that is not; where nobody knows, it may be either
   * @throws backup_place_invalid
   */
  static async open(
    place: string,
    { name, uid }: { name: string; uid: string },
    keys: readonly Buffer[],
    isEncrypted = false,
  ): Promise<Shelf> {
    return new Shelf(place, await openPlace(place, process.env), archivePrefix(name, uid), { keys, isEncrypted });
  }

  /** The uids of all archives of databases of this name that lie there. @throws backup_place_invalid, backup_store_unusable */
  static async uidsIn(place: string, name: string): Promise<string[]> {
    const prefix = archivesPrefix(name);
    const blobs = await (await openPlace(place, process.env)).list(prefix);
    return [...new Set(blobs.map((blob) => blob.name.slice(prefix.length).split('/')[0]!))];
  }

  /**
   * All there is. What is damaged is told, and hides no other: a chain counts as none, and of a layout's time nothing can be
   * restored, nor of that of the one before.
   * @throws backup_key_missing, backup_key_wrong, backup_format_newer, backup_store_unusable
   */
  async read(): Promise<Holdings> {
    const { layouts, chains } = listedArchive(this.#prefix, await this.#store.list(this.#prefix));
    const damaged: ValkeeperError[] = [];
    const noted = (error: unknown): null => {
      if (!(error instanceof ValkeeperError && error.code === 'backup_damaged')) throw error;
      damaged.push(error);
      return null;
    };
    const documents = await Promise.all(
      layouts.map(async (name): Promise<LayoutDocument> => {
        const bytes = await this.#open(name).catch(noted);
        const said = bytes && attempt(() => readDocument(layoutSchema, name, bytes), noted);
        return said ?? { ...UNKNOWN_LAYOUT, from: fromOf(name) };
      }),
    );
    const whole = chains.filter(({ hasChain }) => hasChain);
    const found = await Promise.all(whole.map((listed) => this.#chain(listed).catch(noted)));
    return { layouts: documents, chains: found.filter((one) => one !== null), damaged };
  }

  async #chain({ prefix, pieces, hasBase }: ListedChain): Promise<ShelvedChain> {
    const name = chainName(prefix);
    return shelved(prefix, readDocument(chainSchema, name, await this.#open(name)), pieces, hasBase);
  }

  /** Its spec is without the port: a database that is made of it has another. */
  async addLayout(layout: LayoutDocument): Promise<void> {
    const { database } = layout;
    const said = { ...layout, database: { ...database, spec: { ...database.spec, port: undefined } } };
    const name = layoutName(this.#prefix, layout.from);
    const bytes = Buffer.from(JSON.stringify(said));
    readDocument(layoutSchema, name, bytes); // nothing is written that could not be read
    await this.#seal(name, bytes);
  }

  /**
   * Stores a node's data; the chain counts when `begin` is done with the document.
   * @param data read to its end
   */
  async addBase(shard: string, id: string, data: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<PartFacts> {
    const { content, facts } = writePart(data, { compression: 'zstd', key: this.#keys[0] ?? null });
    await this.#store.put(baseName(chainPrefix(this.#prefix, shard, id)), content, signal);
    return facts;
  }

  async begin(document: ChainDocument): Promise<ShelvedChain> {
    const prefix = chainPrefix(this.#prefix, document.shard, document.id);
    const bytes = Buffer.from(JSON.stringify(document));
    readDocument(chainSchema, chainName(prefix), bytes);
    await this.#seal(chainName(prefix), bytes);
    return shelved(prefix, document, [], true);
  }

  /** @returns the chain with the piece */
  async addPiece(
    chain: ShelvedChain,
    piece: LogPiece,
    { bytes, dataBytes }: { bytes: Uint8Array; dataBytes: number },
  ): Promise<ShelvedChain> {
    const line = Buffer.from(`${JSON.stringify({ dataBytes })}\n`);
    await this.#seal(logName(chain.prefix, piece), Buffer.concat([line, bytes]));
    // One that only told how far it reaches says nothing any more.
    const spent = chain.pieces.filter((one) => one.bytes === 0 && !one.isLast && !isSame(one, piece));
    for (const one of spent) await this.#store.remove(logName(chain.prefix, one));
    const pieces = [...chain.pieces.filter((one) => !spent.includes(one) && !isSame(one, piece)), piece];
    return shelved(chain.prefix, chain.document, pieces, true);
  }

  /** The data that a chain begins with; it throws at its end where it is not whole. */
  async base({ prefix, document: { base } }: ShelvedChain): Promise<AsyncIterable<Uint8Array>> {
    const name = baseName(prefix);
    return readPart(await this.#store.get(name), { ...base, name }, base.encrypted ? await this.#keyOf(name) : null);
  }

  /** The bytes of a chain's log, piece by piece, those that are wanted. @param noted what each piece says of itself */
  async *log(
    { prefix, way }: ShelvedChain,
    noted: (piece: WayPiece, said: { dataBytes: number }) => void = () => {},
  ): AsyncGenerator<Buffer> {
    for (const piece of way.pieces) {
      const name = logName(prefix, piece);
      const raw = await this.#open(name);
      const end = raw.indexOf(LF);
      const bytes = raw.subarray(end + 1);
      if (end === -1 || bytes.length !== piece.bytes) {
        throw new ValkeeperError('backup_damaged', {
          what: `The object ${name}`,
          problem: 'it has not as many bytes as its name says',
        });
      }
      noted(piece, readDocument(pieceSchema, name, raw.subarray(0, end)));
      yield bytes.subarray(piece.skip);
    }
  }

  /** First what makes it one, then the rest. */
  async removeChain({ prefix }: Pick<ShelvedChain, 'prefix'>): Promise<void> {
    await this.#store.remove(chainName(prefix));
    for (const { name } of await this.#store.list(prefix)) await this.#store.remove(name);
  }

  async removeLayout({ from }: LayoutDocument): Promise<void> {
    await this.#store.remove(layoutName(this.#prefix, from));
  }

  /** What was begun, and never became a chain, a day ago. @param now milliseconds since the epoch */
  async sweep(now: number): Promise<void> {
    const { chains } = listedArchive(this.#prefix, await this.#store.list(this.#prefix));
    const left = chains.filter(({ hasChain, putAt }) => !hasChain && now - putAt > LEFTOVER_MS);
    for (const chain of left) await this.removeChain(chain);
    await this.#store.sweep(LEFTOVER_MS);
  }

  async removeAll(): Promise<void> {
    for (const { name } of await this.#store.list(this.#prefix)) await this.#store.remove(name);
  }

  async #seal(name: string, raw: Uint8Array): Promise<void> {
    await this.#store.put(name, once(await sealObject(name, raw, this.#keys[0] ?? null)));
  }

  async #open(name: string): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of await this.#store.get(name)) {
      bytes += chunk.length;
      if (bytes > 2 * MOST_OBJECT_BYTES) {
        throw new ValkeeperError('backup_damaged', { what: `The object ${name}`, problem: 'it is too long for one' });
      }
      chunks.push(chunk);
    }
    return openObject(name, Buffer.concat(chunks), this.#keys, this.#isEncrypted);
  }

  /** The one that a part says it was written with. */
  async #keyOf(name: string): Promise<Buffer | null> {
    const wanted = await partKeyId(await this.#store.get(name));
    return this.#keys.find((key) => keyIdOf(key) === wanted) ?? this.#keys[0] ?? null;
  }
}

/** As its documents and the names of its pieces tell. */
function shelved(prefix: string, document: ChainDocument, pieces: readonly LogPiece[], hasBase: boolean): ShelvedChain {
  const { id, shard, node, baseAt, ownedFrom, firstSeq } = document;
  const way = logWay(pieces, firstSeq);
  const missing = !hasBase ? 'its data' : way.hasHole ? 'a piece of its log' : null;
  return {
    ...{ id, shard, node, baseAt, ownedFrom, until: hasBase ? way.until : 0 },
    ...{ document, prefix, way, pieces, missing },
  };
}

/** The second in a layout's name. */
const fromOf = (name: string): number => Number(name.slice(name.lastIndexOf('/') + 1)) || 0;

function attempt<T>(work: () => T, failed: (error: unknown) => null): T | null {
  try {
    return work();
  } catch (error) {
    return failed(error);
  }
}

const isSame = (a: LogPiece, b: LogPiece): boolean => logName('', a) === logName('', b);

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
