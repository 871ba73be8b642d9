/**
 * Blobs as objects of a bucket, on AWS or any server that speaks S3. What fits into one part is put by one request, all
 * else as a multipart upload, which becomes an object only as it is completed. The SDK is loaded when a store is opened.
 */
import type { CompletedPart, ListMultipartUploadsOutput, S3Client, S3ClientConfig } from '@aws-sdk/client-s3';
import { ValkeeperError } from '../domain/errors.ts';
import type { Blob, BlobStore } from './blob-store.ts';
import { toParts, untilAborted } from './content.ts';
import { checkName, checkPrefix, compareNames, nameProblem } from './names.ts';
import { isMissing, s3Error } from './s3-errors.ts';

type Sdk = typeof import('@aws-sdk/client-s3');

const MIB = 1024 ** 2;
/** S3 takes so many parts of an upload. */
const MAX_PARTS = 10_000;
/** These have `partBytes` (16 GiB together), and those behind them eight times that: in all 1.1 TiB. */
const SMALL_PARTS = 1_000;
const LARGE_PART_FACTOR = 8;
/** Parts that are sent at the same time; one more is being filled. */
const PARTS_IN_FLIGHT = 3;
/** An upload that is given up is told so for so long; what is not heard is swept later. */
const GIVE_UP_MS = 5_000;

/** What an S3 store allows itself; tests take less. */
export interface S3Limits {
  /** S3 takes no part below 5 MiB but the last. */
  partBytes: number;
  /** Of one request. The SDK waits between them: up to 0.1 s, then twice as long each time; with eight, 6 s on average. */
  attempts: number;
  connectMs: number;
  /**
   * A connection on which nothing moves for so long, either way, is given up: so a reader must not rest longer, nor may
   * a server that joins the parts of an upload.
   */
  stalledMs: number;
}

const LIMITS: S3Limits = { partBytes: 16 * MIB, attempts: 8, connectMs: 5_000, stalledMs: 60_000 };

/** Where the blobs are. */
export interface S3Place {
  bucket: string;
  /** '' or `a/b`: names are put behind it, with a slash. */
  prefix: string;
  /** Of a server other than AWS: `http://host:port`. Its buckets are addressed by path. */
  endpoint?: string | undefined;
  region?: string | undefined;
}

/** Without it the SDK looks for credentials, in the usual order of AWS. */
export interface S3Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

/** Opens the place; nothing is asked of the server yet. */
export async function openS3Store(
  place: S3Place,
  credentials?: S3Credentials,
  limits: S3Limits = LIMITS,
): Promise<BlobStore> {
  const sdk = await import('@aws-sdk/client-s3');
  const { endpoint, region } = place;
  const config: S3ClientConfig = {
    region: region ?? 'us-east-1',
    followRegionRedirects: region === undefined && endpoint === undefined,
    maxAttempts: limits.attempts,
    retryMode: 'standard',
    requestHandler: { connectionTimeout: limits.connectMs, socketTimeout: limits.stalledMs },
    // Not every server knows the newer checksums. The signature covers the SHA-256 of every part as it is.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  };
  if (endpoint !== undefined) Object.assign(config, { endpoint, forcePathStyle: true });
  if (credentials !== undefined) config.credentials = credentials;
  return new S3Store(sdk, new sdk.S3Client(config), place, limits);
}

class S3Store implements BlobStore {
  readonly place: string;
  readonly #sdk: Sdk;
  readonly #client: S3Client;
  readonly #bucket: string;
  /** '' or with a slash at its end. */
  readonly #prefix: string;
  readonly #server: string;
  readonly #partBytes: number;
  /** Multipart uploads that are under way. */
  readonly #uploading = new Set<string>();

  constructor(sdk: Sdk, client: S3Client, { bucket, prefix, endpoint }: S3Place, { partBytes }: S3Limits) {
    this.place = `s3://${prefix === '' ? bucket : `${bucket}/${prefix}`}`;
    this.#sdk = sdk;
    this.#client = client;
    this.#bucket = bucket;
    this.#prefix = prefix === '' ? '' : `${prefix}/`;
    this.#server = endpoint ?? 'AWS';
    this.#partBytes = partBytes;
  }

  async put(name: string, content: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<number> {
    checkName(name);
    const stop = new AbortController(); // with the error of a part that failed, or when all is over
    const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
    let bytes = 0;
    const counted = async function* (): AsyncGenerator<Uint8Array> {
      for await (const chunk of untilAborted(content, either)) {
        bytes += chunk.length;
        yield chunk;
      }
    };
    const parts = toParts(counted(), (number) => this.#partBytes * (number > SMALL_PARTS ? LARGE_PART_FACTOR : 1));
    try {
      const first = (await parts.next()).value as Buffer; // there is one, if only an empty one
      const second = await parts.next();
      if (second.done) {
        const put = new this.#sdk.PutObjectCommand({ ...this.#at(name), Body: first });
        await this.#answered(this.#client.send(put, { abortSignal: either }), either);
      } else {
        await this.#upload(name, joined([first, second.value], parts), either, stop);
      }
      return bytes;
    } finally {
      stop.abort();
      await parts.return(undefined);
    }
  }

  async get(name: string, signal?: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    checkName(name);
    signal?.throwIfAborted();
    const get = new this.#sdk.GetObjectCommand(this.#at(name));
    const sent = this.#client.send(get, signal && { abortSignal: signal });
    const { Body, ContentLength } = await sent.catch((error: unknown) => {
      signal?.throwIfAborted();
      if (isMissing(error)) throw new ValkeeperError('blob_missing', { name, place: this.place });
      throw this.#unusable(error);
    });
    return this.#read(Body as unknown as AsyncIterable<Uint8Array>, ContentLength, signal);
  }

  async list(prefix: string): Promise<Blob[]> {
    checkPrefix(prefix);
    const blobs: Blob[] = [];
    let token: string | undefined;
    do {
      const within = { Bucket: this.#bucket, Prefix: this.#prefix + prefix };
      const list = new this.#sdk.ListObjectsV2Command(
        token === undefined ? within : { ...within, ContinuationToken: token },
      );
      const page = await this.#answered(this.#client.send(list));
      for (const { Key = '', Size = 0, LastModified } of page.Contents ?? []) {
        const name = Key.slice(this.#prefix.length);
        // What others have put there is not ours.
        if (nameProblem(name) === null) blobs.push({ name, bytes: Size, modifiedAt: LastModified?.getTime() ?? 0 });
      }
      token = page.NextContinuationToken;
    } while (token !== undefined);
    return blobs.sort(compareNames); // not every server keeps the order
  }

  async remove(name: string): Promise<void> {
    checkName(name);
    await this.#answered(this.#client.send(new this.#sdk.DeleteObjectCommand(this.#at(name))));
  }

  async sweep(olderThanMs: number): Promise<number> {
    const latest = Date.now() - olderThanMs;
    const within = { Bucket: this.#bucket, Prefix: this.#prefix };
    let swept = 0;
    let from: { KeyMarker?: string; UploadIdMarker?: string } | undefined = {};
    while (from !== undefined) {
      const list = new this.#sdk.ListMultipartUploadsCommand({ ...within, ...from });
      const page: ListMultipartUploadsOutput = await this.#answered(this.#client.send(list));
      for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
        if (Key === undefined || UploadId === undefined || this.#uploading.has(UploadId)) continue;
        if (Initiated === undefined || Initiated.getTime() > latest) continue;
        const abort = new this.#sdk.AbortMultipartUploadCommand({ Bucket: this.#bucket, Key, UploadId });
        if (await this.#wasThere(this.#client.send(abort))) swept += 1;
      }
      const { IsTruncated, NextKeyMarker = '', NextUploadIdMarker = '' } = page;
      from =
        IsTruncated && NextKeyMarker !== ''
          ? { KeyMarker: NextKeyMarker, UploadIdMarker: NextUploadIdMarker }
          : undefined;
    }
    return swept;
  }

  /** @param stop gives up everything, content and other parts, with the error of the part that failed first */
  async #upload(name: string, parts: AsyncIterable<Buffer>, signal: AbortSignal, stop: AbortController): Promise<void> {
    const at = this.#at(name);
    const abortable = { abortSignal: signal };
    const create = new this.#sdk.CreateMultipartUploadCommand(at);
    const { UploadId } = await this.#answered(this.#client.send(create, abortable), signal);
    const upload = { ...at, UploadId };
    this.#uploading.add(`${UploadId}`);
    const flying = new Set<Promise<void>>();
    const finished: CompletedPart[] = [];
    const send = async (Body: Buffer, PartNumber: number): Promise<void> => {
      try {
        const part = new this.#sdk.UploadPartCommand({ ...upload, Body, PartNumber });
        const { ETag } = await this.#client.send(part, abortable);
        finished.push({ ETag, PartNumber });
      } catch (error) {
        stop.abort(this.#unusable(error));
      }
    };
    try {
      let number = 0;
      for await (const body of parts) {
        number += 1;
        if (number > MAX_PARTS) throw this.#unusable(new Error(`${name} is larger than ${MAX_PARTS} parts`));
        const flight: Promise<void> = send(body, number).finally(() => flying.delete(flight));
        flying.add(flight);
        if (flying.size === PARTS_IN_FLIGHT) await Promise.race(flying);
        signal.throwIfAborted();
      }
      await Promise.all(flying);
      signal.throwIfAborted();
      const Parts = finished.sort((a, b) => a.PartNumber! - b.PartNumber!);
      const complete = new this.#sdk.CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } });
      await this.#answered(this.#client.send(complete, abortable), signal);
    } catch (error) {
      stop.abort(error);
      await Promise.all(flying); // a part that came after the abort would stay
      const abort = new this.#sdk.AbortMultipartUploadCommand(upload);
      await this.#client.send(abort, { abortSignal: AbortSignal.timeout(GIVE_UP_MS) }).catch(() => {}); // or swept later
      throw error;
    } finally {
      this.#uploading.delete(`${UploadId}`);
    }
  }

  async *#read(
    body: AsyncIterable<Uint8Array>,
    expected: number | undefined,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array> {
    let bytes = 0;
    try {
      for await (const chunk of signal === undefined ? body : untilAborted(body, signal)) {
        bytes += chunk.length;
        yield chunk;
      }
    } catch (error) {
      signal?.throwIfAborted();
      throw this.#unusable(error);
    }
    if (bytes < (expected ?? 0)) throw this.#unusable(new Error(`only ${bytes} of ${expected} bytes came`));
  }

  #at(name: string): { Bucket: string; Key: string } {
    return { Bucket: this.#bucket, Key: this.#prefix + name };
  }

  /** False when the server says that it was not there. */
  async #wasThere(sent: Promise<unknown>): Promise<boolean> {
    try {
      await sent;
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw this.#unusable(error);
    }
  }

  async #answered<T>(sent: Promise<T>, signal?: AbortSignal): Promise<T> {
    try {
      return await sent;
    } catch (error) {
      signal?.throwIfAborted();
      throw this.#unusable(error);
    }
  }

  #unusable(cause: unknown): ValkeeperError {
    return s3Error(cause, { place: this.place, bucket: this.#bucket, server: this.#server });
  }
}

async function* joined(first: readonly Buffer[], rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield* first;
  yield* rest;
}
