import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { CreateMultipartUploadCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { blobStoreContract, letters, only, read } from '../../test/support/blob-store-contract.ts';
import { valkeeperError } from '../../test/support/errors.ts';
import { S3_CREDENTIALS, type S3Server, startS3 } from '../../test/support/s3.ts';
import { openS3Store, type S3Limits, type S3Place } from './s3-store.ts';

const PART_BYTES = 5 * 1024 ** 2;
const LIMITS: S3Limits = { partBytes: PART_BYTES, attempts: 3, connectMs: 1_000, stalledMs: 10_000 };

let dir: string;
let server: S3Server;
before(async () => {
  dir = mkdtempSync(join(tmpdir(), 'valkeeper-s3-'));
  server = await startS3(dir);
});
after(async () => {
  await server.kill();
  rmSync(dir, { recursive: true, force: true });
});

let opened = 0;
/** Each in a prefix of its own. */
const placeOf = (more: Partial<S3Place> = {}): S3Place => {
  opened += 1;
  return { bucket: server.bucket, prefix: `tests/${opened}`, endpoint: server.endpoint, ...more };
};
const open = (more: Partial<S3Place> = {}, credentials = S3_CREDENTIALS) =>
  openS3Store(placeOf(more), credentials, LIMITS);
/** What others do in the same bucket. */
const client = () =>
  new S3Client({ region: 'us-east-1', endpoint: server.endpoint, forcePathStyle: true, credentials: S3_CREDENTIALS });

blobStoreContract('s3', () => open());

describe('s3', () => {
  test('a place is shown without its server', async () => {
    assert.equal((await open({ prefix: 'a/b' })).place, 's3://backups/a/b');
    assert.equal((await open({ prefix: '' })).place, 's3://backups');
  });

  test('only what lies under the prefix, and has a name of ours, is seen', async () => {
    const place = placeOf({ prefix: 'shared' });
    const store = await openS3Store(place, S3_CREDENTIALS, LIMITS);
    for (const Key of ['shared/fine', 'shared/not ours', 'shared-not/x', 'shared/folder/']) {
      await client().send(new PutObjectCommand({ Bucket: place.bucket, Key, Body: 'x' }));
    }
    assert.deepEqual(
      (await store.list('')).map(({ name }) => name),
      ['fine'],
    );
  });

  test('a list goes on over pages', async () => {
    const place = placeOf();
    const store = await openS3Store(place, S3_CREDENTIALS, LIMITS);
    const names = Array.from({ length: 1_005 }, (_, n) => `n${String(n).padStart(4, '0')}`);
    const folder = join(dir, place.bucket, place.prefix);
    mkdirSync(folder, { recursive: true });
    for (const name of names) writeFileSync(join(folder, `${name}._S3rver_object`), ''); // as the server keeps them
    assert.deepEqual(
      (await store.list('n')).map(({ name }) => name),
      names,
    );
  });

  test('uploads that nobody ended are swept once they are old enough, under the prefix alone', async () => {
    const place = placeOf();
    const store = await openS3Store(place, S3_CREDENTIALS, LIMITS);
    for (const prefix of [place.prefix, place.prefix, 'another']) {
      await client().send(new CreateMultipartUploadCommand({ Bucket: place.bucket, Key: `${prefix}/left` }));
    }
    assert.equal(await store.sweep(60_000), 0);
    assert.equal(await store.sweep(0), 2);
    assert.equal(await store.sweep(0), 0);
  });

  test('a server that fails twice is asked again, for every kind of request', async () => {
    const store = await open();
    const twice = () => server.trouble({ fail: 2, status: 500 });
    await twice();
    assert.equal(await store.put('small', only('x')), 1);
    await twice();
    await store.put('large', letters('x', 2 * PART_BYTES));
    await twice();
    assert.equal(await read(store, 'small'), 'x');
    await twice();
    assert.deepEqual(
      (await store.list('')).map(({ name }) => name),
      ['large', 'small'],
    );
    await twice();
    assert.equal(await store.sweep(0), 0);
    await twice();
    await store.remove('small');
  });

  test('a server that goes on failing is given up, and the upload that was begun is ended', async () => {
    const store = await open();
    const failing = async function* (): AsyncGenerator<Uint8Array> {
      yield* letters('x', 2 * PART_BYTES + 1);
      await server.trouble({ fail: 3 * LIMITS.attempts, status: 503 });
      yield* letters('y', 40 * PART_BYTES);
    };
    await assert.rejects(store.put('a', failing()), valkeeperError('backup_store_unusable', /http:.* failed \(503 /));
    await server.trouble({ fail: 0 });
    await store.sweep(0);
    assert.deepEqual(await store.list(''), []);
  });

  test('a server that does not answer is given up in bounded time', async () => {
    const store = await openS3Store(placeOf(), S3_CREDENTIALS, { ...LIMITS, stalledMs: 200 });
    await server.trouble({ hang: 2 });
    assert.equal(await store.put('a', only('x')), 1, 'twice is overcome');
    await server.trouble({ hang: LIMITS.attempts });
    const started = performance.now();
    await assert.rejects(store.get('a'), valkeeperError('backup_store_unusable', /does not answer in time/));
    assert.ok(performance.now() - started < 4_000);
    await server.trouble({ hang: 0 });
  });

  test('a body that breaks off is an error, not a short blob', async () => {
    const store = await open();
    await store.put('a', letters('x', 4 * 1024 ** 2));
    await server.trouble({ cut: 1 });
    await assert.rejects(read(store, 'a'), valkeeperError('backup_store_unusable', /s3:\/\/backups\/tests/));
    assert.equal((await read(store, 'a')).length, 4 * 1024 ** 2);
  });

  test('wrong credentials and a missing bucket are told with what to do', async () => {
    const mistakes: [Partial<S3Place>, typeof S3_CREDENTIALS, RegExp, RegExp][] = [
      [{ bucket: 'no-such' }, S3_CREDENTIALS, /has no bucket no-such/, /Create the bucket/],
      [{}, { ...S3_CREDENTIALS, accessKeyId: 'who' }, /InvalidAccessKeyId/, /Correct AWS_ACCESS_KEY_ID/],
      [{}, { ...S3_CREDENTIALS, secretAccessKey: 'no' }, /SignatureDoesNotMatch/, /AWS_SECRET_ACCESS_KEY/],
    ];
    for (const [place, credentials, message, hint] of mistakes) {
      const store = await open(place, credentials);
      const clear = (error: Error & { hint?: string }) =>
        valkeeperError('backup_store_unusable', message)(error) && hint.test(error.hint ?? '');
      if (!message.test('SignatureDoesNotMatch')) await assert.rejects(store.list(''), clear); // see s3-process.ts
      await assert.rejects(store.get('a'), clear);
      await assert.rejects(store.put('a', only('x')), clear);
      await assert.rejects(store.put('a', letters('x', 3 * PART_BYTES)), clear);
    }
  });

  test('a server that is gone, or goes in the middle, is a clear error in bounded time', async (t) => {
    mkdirSync(join(dir, 'other'));
    const other = await startS3(join(dir, 'other'));
    t.after(() => other.kill());
    const store = await open({ endpoint: other.endpoint });
    const dying = async function* (): AsyncGenerator<Uint8Array> {
      yield* letters('x', 3 * PART_BYTES);
      await other.kill();
      yield* letters('y', 100 * PART_BYTES);
    };
    const gone = valkeeperError('backup_store_unusable', /http:.* cannot be reached \(ECONN/);
    const started = performance.now();
    await assert.rejects(store.put('a', dying()), gone);
    await assert.rejects(store.list(''), gone);
    await assert.rejects(store.get('a'), gone);
    await assert.rejects(store.remove('a'), gone);
    await assert.rejects(store.sweep(0), gone);
    assert.ok(performance.now() - started < 6_000);
  });
});
