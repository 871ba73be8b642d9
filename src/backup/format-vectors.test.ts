/**
 * Bytes that an earlier Valkeeper wrote. They must be readable for ever: a change that breaks this test breaks backups
 * that exist. What is new gets another format version, and vectors of its own.
 */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { zstdDecompressSync } from 'node:zlib';
import { FORMS, KEY, readBack } from '../../test/support/backup-parts.ts';
import { openManifest } from './manifest.ts';

const RAW = `REDIS0080${'user:1000 is somebody; '.repeat(8)}`;
const RAW_SHA256 = '024a04e2b3132b5fdfab5d0793ce91676e307a64993aea9792f6667dcb9fa09d';

const bytesOf = (...base64: string[]): Buffer => Buffer.from(base64.join(''), 'base64');

/** In the order of FORMS. */
const PARTS = [
  {
    storedSha256: '90e5c59a30cda947faf2ddc01011725db504b56ced245f7bcd5587e3d150d491',
    stored: bytesOf(
      'VktQQVJUAQB5P60GUkVESVMwMDgwdXNlcjoxMDAwIGlzIHNvbWVib2R5OyB1c2VyOjEwMDAgaXMgc29tZWJvZHk7IHVzZXI6MTAw',
      'MCBpcyBzb21lYm9keTsgdXNlcjoxMDAwIGlzIHNvbWVib2R5OyB1c2VyOjEwMDAgaXMgc29tZWJvZHk7IHVzZXI6MTAwMCBpcyBz',
      'b21lYm9keTsgdXNlcjoxMDAwIGlzIHNvbWVib2R5OyB1c2VyOjEwMDAgaXMgc29tZWJvZHk7IA==',
    ),
  },
  {
    storedSha256: '247dd4bd1c9e8e00c2861a7283303d88dfaa47d8422ebcd97a937755b26a1b75',
    stored: bytesOf('VktQQVJUAQFU4DsdKLUv/QRIRQEABAJSRURJUzAwODB1c2VyOjEwMDAgaXMgc29tZWJvZHk7IAEA8Cg1n6lanIA='),
  },
  {
    storedSha256: '64143e2c675419d62ebd49216d61e0086cd97056f62e0c6e113a744d425224ce',
    stored: bytesOf(
      'VktQQVJUAQINjOvgnEnbiUY9XmCM/Gd+pRdc4cSLa26HZru5EbkURswyT2GdiPQOlV2lr9+rPDZopdp12QMavt55nZ7BWh1a9T2/',
      'kHV1UNrn+qhjftEmLGxpQ70R+qDUXIfT+L2u7u5Vzzp04N1Le1V+4p3PLYOgGnftlaeD6rpJKVstzEVlDHI535lL7X0DQ+bgkEoF',
      '0+xHN5sAnhZvMfNmFy+KXwnV4XtstyOWg5w6ysW3ZWqjn+ADu8g3ejUgXDX/nOpHFB4+Nvg4R15pUY0gz5FLa0aCbuiV4urlFymx',
      'hJaQVTDybkl5MXKZhAGt/96ooJbe9UHEJh5ize03eYM=',
    ),
  },
  {
    storedSha256: 'b54d8c87ca45baced53cc32f474e153eb579d740ff703be6cc5b7a3c5d7229d6',
    stored: bytesOf(
      'VktQQVJUAQPHomomHXpICVQITv7j7fayEvIjolx9O0G1w2DTqX6TnswyT2El30+iOquSFgVOy5RaEt92OD0KImQoHe0W71BItQ0N',
      'wmxBxqDYn1UtzGKWqI7d9RiEcReRBIRStUYmhXaqh6GTVWpxwEk6vWq6',
    ),
  },
];

for (const [index, { name, options }] of FORMS.entries()) {
  it(`reads a part of format 1 ${name}`, async () => {
    const { stored, storedSha256 } = PARTS[index]!;
    const { compression, key } = options;
    const facts = { rawBytes: RAW.length, rawSha256: RAW_SHA256, storedBytes: stored.length, storedSha256 };
    const part = { name: 'shard-1.part', ...facts, compression, encrypted: key !== null };
    assert.equal((await readBack({ stored, part }, key)).toString(), RAW);
  });
}

/** Compressed, to be short. */
const MANIFEST = zstdDecompressSync(
  bytesOf(
    'KLUv/WBUCiUfAPZxmS8wcduABwWFsDAw8J2Nj15Xe+X302Y3V94UanNoenGokRNOTUJNpLVyB0oHA3owB4YAiACHAAGQvykJdFTT',
    '1FJfUK77uebkBVkslZKflUeztQYfVVGz9eRVkyZL+ko+197ak9PDbjhhk17V3pSz4ksxalZ0jqZ6VgVb1e7dHXqbM1aWnD3FJ31q',
    '9861e7Cyesq3niWhk/L9a92o6SrqTc41GKoEQG3Bsk10aLmP/W+oi0CWAig759oJVUoCNPuTFJSUm7F43McZdcximnO9LCbrd/7K',
    'uJ9xRqPnOue6mFtU9K797GZNzmyt9srxEvlcn/MZ+bRj6yZ6rB7syRe9oN9MQtN6rJ/xhe9jb5KmSKreZ8+B51rOc9rjRbG/AQ7L',
    '65b4GM4wq8HP8frYoWeXrhU8Wb+jtTZQTQVTFwh0C2SM/Ox/Y1DFPSc551y3c7J+9+ba2Syqr2fsJM9vIpcfz2kn6UDtrZcmOgd6',
    'aetHfsY8N9aXGZPgvxjHxqjbJP/ajNuiW+uO34CBfB2Lqui1s7qyrOaRLcUtUEF5WxvoAQvfz/h6ZT4ReuS6ba5H0OiR36+f+WTs',
    '09urNr7F/TwxH/3jY3CxABRgmJvgD5VP5VOBrnQd2hGyF3JN2zmAFQQIEQmGhAHTqRjFFJtSCJcRjgrMgwbmme6CQsNHGLI5F2t0',
    'GmDGnZAgHkgubSohAWpkExbvoW2MUIkMvo4JiYULlA6mW5DAOHzecKQIMjMQ9jK1BcWR4E+h4eGCzYtEeSosBOe/8S3kU3/8NJOv',
    'ifh+JnPdjOlDp1C/KbkoRkqzGms2oYjOb3CAqKABOaYoGZpJQUGp1AFAhBBjVFUHIPiNtZwtG5OShZpmfahoO96sGFEeVvMgpVWb',
    'LR6VSwWXALu8ooUZ37+zLO4UVcLhl4GwBIC6CRJXPpKbyTJ06dC1UidaA3A0GkVJPIWWwcvYE5FyPSAKWI+4gpvNONvAaqElIGuC',
    'ixXMF32712o0rocQeDDvBzwWYL+8WVxuJiHu/CC83AjL9jd5nCv/iw05CZcmoyJtSRv7GkKVCK6USpIa2jABLKwabkk5jHWDi53A',
    'c4aQ6QXIkNMEEJUoLmYxw0J0AP72t2LG17PAqKD9PjMR8wS3qVmhXE+Ko95cmeP5MDjPVW7T+tKeu5xZDRJPQVbJg3YKJX929RIp',
    '48FWt3gYsDaQLj/IDvFdA9pWRhKFoVFY3iAAW8NSu4MzXwYUji6BT42JLxopHtIFVfhgFvE6LA3EKZsIB4MfDld8EtgMLoOHWKaN',
    'Y1bbBdfY3NpLiZY2WBcdkBoTqAI1hDwPEYgQVUaw/g==',
  ),
);

it('reads a manifest of format 1', () => {
  const { manifest, isAuthentic } = openManifest(MANIFEST, KEY);
  assert.ok(isAuthentic);
  assert.equal(manifest.id, '20261127T141558Z-4f6a');
  assert.equal(manifest.keyId, 'cc324f61');
  assert.deepEqual(manifest.secrets, { password: 'hunter2', users: { app: 'correct horse' } });
  const { name, spec, generation } = manifest.database;
  assert.deepEqual([name, spec.shards, spec.memoryBytes, generation], ['shop', 2, 268_435_456, 3]);
  assert.deepEqual(spec.users, [{ name: 'grüße', rules: '~app:* +@read' }]);
  assert.deepEqual(
    manifest.shards.map((shard) => [shard.name, shard.slots, shard.part.name, shard.role, shard.offset, shard.keys]),
    [
      [
        'shard-1',
        [
          [0, 99],
          [8192, 16383],
        ],
        'shard-1.part',
        'replica',
        123_456,
        42,
      ],
      ['shard-2', [[100, 8191]], 'shard-2.part', 'primary', 123_456, 42],
    ],
  );
});
