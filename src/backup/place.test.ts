import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { only } from '../../test/support/blob-store-contract.ts';
import { valkeeperError } from '../../test/support/errors.ts';
import { tempDir } from '../../test/support/temp-dir.ts';
import { openPlace, parsePlace } from './place.ts';

test('a place is a folder or a bucket', () => {
  const none = { endpoint: undefined, region: undefined };
  assert.deepEqual(parsePlace('/srv/backups/'), { kind: 'folder', path: '/srv/backups' });
  assert.deepEqual(parsePlace('file:///srv/my%20backups'), { kind: 'folder', path: '/srv/my backups' });
  assert.deepEqual(parsePlace('s3://bucket'), { kind: 's3', bucket: 'bucket', prefix: '', ...none });
  assert.deepEqual(parsePlace('s3://my.bucket-1/a/b/'), { kind: 's3', bucket: 'my.bucket-1', prefix: 'a/b', ...none });
  assert.deepEqual(parsePlace('s3://bucket/a?endpoint=http://127.0.0.1:9000/&region=eu-west-1'), {
    kind: 's3',
    bucket: 'bucket',
    prefix: 'a',
    endpoint: 'http://127.0.0.1:9000',
    region: 'eu-west-1',
  });
});

test('what is no place is refused, with what is wrong and an example', () => {
  const wrong: [string, RegExp][] = [
    ['', /it is empty/],
    ['backups', /it is relative/],
    ['./backups', /it is relative/],
    ['~/backups', /it is relative/],
    ['/srv/a\0b', /character/],
    ['file://srv/backups', /file:\/\/\//],
    ['gs://bucket', /gs:\/\/ is not known/],
    ['s3://', /names no bucket/],
    ['s3:///a', /names no bucket/],
    ['s3://ab', /ab is no bucket/],
    ['s3://Bucket', /no bucket/],
    ['s3://-bucket', /no bucket/],
    ['s3://a..b', /no bucket/],
    ['s3://10.0.0.1', /no bucket/],
    ['s3://bucket/a//b', /empty part/],
    ['s3://bucket/../b', /the part \.\./],
    ['s3://bucket?endpoint=localhost:9000', /endpoint is no address/],
    ['s3://bucket?endpoint=http://localhost/path', /more than a host/],
    ['s3://bucket?endpoint=', /endpoint is empty/],
    ['s3://bucket?region=EU', /its region/],
    ['s3://bucket?region=a&region=b', /region is given twice/],
    ['s3://bucket?zone=a', /zone is not known/],
  ];
  for (const [place, message] of wrong) {
    assert.throws(() => parsePlace(place), valkeeperError('backup_place_invalid', message), place);
  }
});

test('credentials in a place are refused, and not repeated', () => {
  const places = [
    's3://AKIAX:hush@bucket/a',
    's3://AKIAX:hu/hush@bucket',
    's3://bucket?secret=hush',
    's3://bucket?accessKeyId=hush',
    's3://bucket?endpoint=http://me:hush@localhost:9000',
  ];
  for (const place of places) {
    assert.throws(
      () => parsePlace(place),
      (error: Error & { hint: string }) =>
        valkeeperError('backup_place_invalid', /AWS_ACCESS_KEY_ID/)(error) && !/hush/.test(error.message + error.hint),
      place,
    );
  }
});

test('a place is opened as what it is', async (t) => {
  const folder = join(tempDir(t), 'x');
  const store = await openPlace(folder, {});
  assert.equal(store.place, folder);
  assert.equal(await store.put('a', only('x')), 1);
  const env = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' };
  assert.equal((await openPlace('s3://bucket/a?endpoint=http://127.0.0.1:1', env)).place, 's3://bucket/a');
});
