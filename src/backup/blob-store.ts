/** Where backups are kept: the port. It is as small as what a folder and S3 can both do: whole blobs by name. */

export interface Blob {
  name: string;
  bytes: number;
  /** When it was put, by the clock of who keeps it: ms since the epoch. */
  modifiedAt: number;
}

/**
 * Names are words of [A-Za-z0-9._-] with a / between them (see names.ts). No name may go on from another one with a /
 * (`a` and `a/b`): a folder cannot hold both. Every method raises blob_name_invalid and backup_store_unusable.
 */
export interface BlobStore {
  /** Where blobs lie, for people, without secrets: `/srv/backups` or `s3://bucket/prefix`. */
  readonly place: string;
  /**
   * Writes a blob whole or not at all: it is seen under its name only when all of it is there (and, in a folder,
   * flushed). An existing one is replaced; whoever reads that meanwhile goes on reading it. Of several puts of one name
   * at once, each is whole, and one of them stays. A put that fails leaves what was there before, with one exception:
   * if only the answer to its very last step was lost, the new blob may be there.
   * @param content chunks are copied or written before the next one is asked for
   * @returns its bytes
   * @throws what the content throws; the signal's reason, when that aborts
   */
  put(name: string, content: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<number>;
  /**
   * To be read soon and once, in bounded memory. The iteration, too, raises backup_store_unusable and the signal's
   * reason, and what was read until then is only a part of the blob.
   * @throws blob_missing
   */
  get(name: string, signal?: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
  /** All whose names begin so (all there are, for ''), in order of names. Leftovers of interrupted puts are not listed. */
  list(prefix: string): Promise<Blob[]>;
  /** None there is no error. */
  remove(name: string): Promise<void>;
  /**
   * Removes what interrupted puts, of any process, left behind and have not touched for so many ms; returns how many.
   * This store's own puts that are under way are spared; those of others only by their age.
   */
  sweep(olderThanMs: number): Promise<number>;
}
