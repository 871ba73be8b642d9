/** What every blob store promises; run against each of them. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BlobStore } from '../../src/backup/blob-store.ts';
import { valkeeperError } from './errors.ts';

const MIB = 1024 ** 2;
/** More than three parts of the stores that send parts, and more than may be in memory. */
const LARGE_BYTES = 192 * MIB;
const MEMORY_BYTES = 150 * MIB;
/** What is cut off in the middle is several parts long by then. */
const HALF_BYTES = 12 * MIB;

/** Gives a new, empty store each time. */
export type OpenBlobStore = (t: TestContext) => BlobStore | Promise<BlobStore>;

/** Content in one chunk. */
export async function* only(text: string | Uint8Array): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

/** A whole blob. */
export async function read(store: BlobStore, name: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of await store.get(name)) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** So many bytes of one letter, in chunks of 1 MiB that share their memory, as a reader's may. */
export async function* letters(letter: string, bytes: number): AsyncGenerator<Uint8Array> {
  const chunk = Buffer.alloc(MIB);
  for (let left = bytes; left > 0; left -= MIB) yield chunk.fill(letter).subarray(0, left);
}

/** Runs the suite. */
export function blobStoreContract(name: string, open: OpenBlobStore): void {
  const contract = (title: string, run: (store: BlobStore) => Promise<void>) =>
    test(title, async (t) => run(await open(t)));
  const names = async (store: BlobStore, prefix = '') => (await store.list(prefix)).map((blob) => blob.name);

  describe(name, () => {
    // The first: later on the process has memory to spare, and would not have to grow.
    contract('a large blob goes in and out byte for byte, in bounded memory', async (store) => {
      const seed = randomBytes(MIB);
      const given = createHash('sha1');
      const content = async function* (): AsyncGenerator<Uint8Array> {
        for (let n = 0; n < LARGE_BYTES / MIB; n++) {
          seed.writeUInt32LE(n);
          given.update(seed);
          yield seed;
        }
      };
      await store.put('large', only('loads what is needed for it'));
      await read(store, 'large');
      const memory = watchMemory();
      assert.equal(await store.put('large', content()), LARGE_BYTES);
      const got = createHash('sha1');
      for await (const chunk of await store.get('large')) got.update(chunk);
      const grown = memory.end();
      assert.equal(got.digest('hex'), given.digest('hex'));
      assert.ok(grown < MEMORY_BYTES, `${Math.round(grown / MIB)} MiB more memory`);
      await store.remove('large');
    });

    contract('what was put is there, with its size and time, and can be replaced', async (store) => {
      const before = Date.now();
      assert.equal(await store.put('a/b/one.rdb', only('first')), 5);
      assert.equal(await read(store, 'a/b/one.rdb'), 'first');
      const [blob, ...more] = await store.list('');
      assert.deepEqual([blob?.name, blob?.bytes, more], ['a/b/one.rdb', 5, []]);
      assert.ok(Math.abs(blob!.modifiedAt - before) < 10_000, `${blob!.modifiedAt - before} ms`);
      assert.equal(await store.put('a/b/one.rdb', only('2nd')), 3);
      assert.equal(await read(store, 'a/b/one.rdb'), '2nd');
      assert.deepEqual(
        (await store.list('')).map(({ bytes }) => bytes),
        [3],
      );
    });

    contract('a blob may be empty, and content may come in chunks of any size', async (store) => {
      assert.equal(await store.put('empty', (async function* () {})()), 0);
      assert.equal(await store.put('empty-chunk', only('')), 0);
      assert.equal(await read(store, 'empty'), '');
      const text = randomBytes(5_000).toString('hex');
      const pieces = async function* (): AsyncGenerator<Uint8Array> {
        for (let from = 0; from < text.length; from += 777) yield Buffer.from(text.slice(from, from + 777));
      };
      assert.equal(await store.put('pieces', pieces()), text.length);
      assert.equal(await read(store, 'pieces'), text);
      assert.deepEqual(await names(store), ['empty', 'empty-chunk', 'pieces']);
    });

    contract('a list has the names that begin so, in their order', async (store) => {
      const all = ['B', 'a-b/x', 'a.b', 'a/10', 'a/9', 'a/b/c', 'ab'];
      assert.deepEqual(await names(store), []);
      for (const each of all.toReversed()) await store.put(each, only(each));
      assert.deepEqual(await names(store), all);
      for (const prefix of ['a', 'a/', 'a/b', 'a/b/', 'a/b/c', 'a-', 'z', 'z/y', 'ab/x']) {
        assert.deepEqual(
          await names(store, prefix),
          all.filter((each) => each.startsWith(prefix)),
          prefix,
        );
      }
    });

    contract('what is not there cannot be read, and may be removed', async (store) => {
      await assert.rejects(store.get('none'), valkeeperError('blob_missing', /no none in /));
      await store.put('a/b', only('x'));
      await assert.rejects(store.get('a'), valkeeperError('blob_missing'));
      await assert.rejects(store.get('a/b/c'), valkeeperError('blob_missing'));
      await store.remove('a/b');
      await store.remove('a/b');
      await store.remove('never/was');
      await assert.rejects(store.get('a/b'), valkeeperError('blob_missing'));
      assert.deepEqual(await names(store), []);
      await store.put('a', only('a blob where a folder was'));
    });

    contract('names that could lead out of the place are refused by every method', async (store) => {
      const bad = [
        '',
        '/',
        '/a',
        'a/',
        'a//b',
        '.',
        '..',
        '../a',
        'a/../b',
        'a/.',
        'a b',
        'a~b',
        'é',
        'a\0',
        'a\\b',
        '%2e',
      ];
      for (const each of [...bad, 'x'.repeat(201), 'long/'.repeat(110)]) {
        const refused = valkeeperError('blob_name_invalid');
        await assert.rejects(store.put(each, only('x')), refused, each);
        await assert.rejects(store.get(each), refused, each);
        await assert.rejects(store.remove(each), refused, each);
      }
      for (const each of ['..', '../', '/', 'a//', 'a b']) {
        await assert.rejects(store.list(`${each}/x`), valkeeperError('blob_name_invalid'), each);
      }
      await store.put(`..a/${'x'.repeat(200)}`, only('x'));
      assert.equal((await names(store, '..')).length, 1);
    });

    contract('content that fails leaves the old blob, or none, and nothing to sweep', async (store) => {
      await store.put('old', only('old'));
      const failing = async function* (bytes: number): AsyncGenerator<Uint8Array> {
        yield* letters('x', bytes);
        throw new Error('the source broke');
      };
      for (const each of ['old', 'new']) {
        for (const bytes of [0, 10, HALF_BYTES]) {
          await assert.rejects(store.put(each, failing(bytes)), { message: 'the source broke' });
        }
      }
      assert.equal(await read(store, 'old'), 'old');
      assert.deepEqual(await names(store), ['old']);
      assert.equal(await store.sweep(0), 0);
    });

    contract('a put can be given up at once, though its content never comes to an end', async (store) => {
      await store.put('old', only('old'));
      for (const bytes of [10, HALF_BYTES]) {
        const giveUp = new AbortController();
        let ended = false;
        const endless = async function* (): AsyncGenerator<Uint8Array> {
          try {
            yield* letters('x', bytes);
            setImmediate(() => giveUp.abort(new Error('enough')));
            await sleep(60_000, undefined, { ref: false });
          } finally {
            ended = true;
          }
        };
        const started = performance.now();
        await assert.rejects(store.put('old', endless(), giveUp.signal), { message: 'enough' });
        assert.ok(performance.now() - started < 5_000);
        assert.equal(ended, false, 'it waits still');
      }
      await assert.rejects(store.put('new', only('x'), AbortSignal.abort(new Error('before'))), { message: 'before' });
      assert.equal(await read(store, 'old'), 'old');
      assert.deepEqual(await names(store), ['old']);
      assert.equal(await store.sweep(0), 0);
    });

    contract('a read can be given up', async (store) => {
      await store.put('a', letters('x', 8 * MIB));
      await assert.rejects(store.get('a', AbortSignal.abort(new Error('before'))), { message: 'before' });
      const giveUp = new AbortController();
      const stream = await store.get('a', giveUp.signal);
      await assert.rejects(
        async () => {
          for await (const _ of stream) giveUp.abort(new Error('enough'));
        },
        { message: 'enough' },
      );
      for await (const _ of await store.get('a')) break;
    });

    contract(
      'a blob is not seen before it is whole, and its leftovers are not swept while it is being put',
      async (store) => {
        const content = async function* (): AsyncGenerator<Uint8Array> {
          yield* letters('x', HALF_BYTES);
          assert.deepEqual(await names(store), []);
          await assert.rejects(store.get('a'), valkeeperError('blob_missing'));
          assert.equal(await store.sweep(0), 0);
          yield* letters('y', 10);
        };
        assert.equal(await store.put('a', content()), HALF_BYTES + 10);
        assert.deepEqual(await names(store), ['a']);
      },
    );

    contract('of two puts of one name at once, one is there whole', async (store) => {
      const bytes = 12 * MIB;
      await Promise.all(['x', 'y'].map((letter) => store.put('a', letters(letter, bytes))));
      const text = await read(store, 'a');
      assert.equal(text.length, bytes);
      assert.ok(
        ['x', 'y'].some((letter) => text === letter.repeat(bytes)),
        'all of it is of one of them',
      );
      assert.deepEqual(await names(store), ['a']);
      assert.equal(await store.sweep(0), 0);
    });
  });
}

/** How far the process grows, at most, looked at every few ms. */
function watchMemory(): { end(): number } {
  const before = process.memoryUsage.rss();
  let most = before;
  const timer = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss());
  }, 5).unref(); // not to be waited for where a test fails
  return {
    end: () => {
      clearInterval(timer);
      return most - before;
    },
  };
}
