import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { keyFor, manifestOf } from '../../test/support/backup-manifests.ts';
import { KEY } from '../../test/support/backup-parts.ts';
import { valkeeperError } from '../../test/support/errors.ts';
import { DEFAULT_SPEC } from '../domain/spec.ts';
import { keyIdOf } from './key.ts';
import { type BackupManifest, openManifest, sealManifest } from './manifest.ts';

type Draft = Omit<BackupManifest, 'keyId'>;

const OTHER_KEY = Buffer.from(KEY).reverse();

/** The text with its first checksum made right again, as anybody can. */
function rechecked(text: string): Buffer {
  const [open = '', format = '', , ...rest] = text.split('\n');
  const before = `${open}\n${format}\n`;
  const after = rest.join('\n');
  const sha256 = createHash('sha256').update(before).update(after).digest('hex');
  return Buffer.from(`${before}"sha256": "${sha256}",\n${after}`);
}

const changed = (bytes: Buffer, from: string | RegExp, to: string): Buffer => {
  const text = bytes.toString();
  assert.match(text, new RegExp(from));
  return rechecked(text.replace(from, to));
};

for (const encrypted of [false, true]) {
  const key = keyFor(encrypted);
  describe(encrypted ? 'a manifest of an encrypted backup' : 'a manifest', () => {
    it('is read as it was written', () => {
      const draft = manifestOf({ encrypted });
      const { manifest, isAuthentic } = openManifest(sealManifest(draft, key), key);
      assert.deepEqual(manifest, { ...draft, keyId: key === null ? null : keyIdOf(key) });
      assert.equal(isAuthentic, encrypted);
    });

    it('is JSON', () => {
      const document = JSON.parse(sealManifest(manifestOf({ encrypted }), key).toString());
      assert.equal(document.format, 'valkeeper backup 1');
      assert.equal(document.backup.database.name, 'shop');
    });

    it('is refused with any byte changed by any bit, with the key and without', () => {
      const bytes = sealManifest(manifestOf({ encrypted }), key);
      for (let at = 0; at < bytes.length; at += 1) {
        for (let bit = 0; bit < 8; bit += 1) {
          bytes[at]! ^= 1 << bit;
          for (const given of [key, null]) {
            assert.throws(() => openManifest(bytes, given), valkeeperError('backup_damaged'), `byte ${at}, bit ${bit}`);
          }
          bytes[at]! ^= 1 << bit;
        }
      }
      openManifest(bytes, key);
    });

    it('is refused cut anywhere, or with anything behind it', () => {
      const bytes = sealManifest(manifestOf({ encrypted }), key);
      for (let length = 0; length < bytes.length; length += 1) {
        assert.throws(
          () => openManifest(bytes.subarray(0, length), key),
          valkeeperError('backup_damaged'),
          `${length}`,
        );
      }
      for (const more of ['\n', '\0', ' ', bytes]) {
        const longer = Buffer.concat([bytes, Buffer.from(more)]);
        assert.throws(() => openManifest(longer, key), valkeeperError('backup_damaged'));
      }
    });

    it('of a newer format is told as such, whatever else it says', () => {
      const bytes = sealManifest(manifestOf({ encrypted }), key);
      const newer = changed(bytes, '"valkeeper backup 1"', '"valkeeper backup 12"');
      assert.throws(() => openManifest(newer, key), valkeeperError('backup_format_newer', /format 12; .* up to 1\./));
      const other = rechecked('{\n"format": "valkeeper backup 2",\n\nanything at all');
      assert.throws(() => openManifest(other, key), valkeeperError('backup_format_newer'));
    });
  });
}

describe('an encrypted backup', () => {
  const bytes = sealManifest(manifestOf({ encrypted: true }), KEY);

  it('is listed without its key, all but the secrets, and not as authentic', () => {
    const { secrets, ...listed } = manifestOf({ encrypted: true });
    assert.ok(secrets);
    const { manifest, isAuthentic } = openManifest(bytes, null);
    assert.deepEqual(manifest, { ...listed, keyId: keyIdOf(KEY) });
    assert.ok(!isAuthentic);
  });

  it('shows nothing of its secrets', () => {
    for (const secret of ['hunter2', 'correct horse', KEY.toString('hex')]) assert.ok(!bytes.includes(secret));
  });

  it('is told from one of another key', () => {
    assert.throws(() => openManifest(bytes, OTHER_KEY), valkeeperError('backup_key_wrong'));
  });

  it('that somebody changed who has no key is refused', () => {
    const FORGED: [from: string, to: string][] = [
      ['"offset": 123456', '"offset": 123457'],
      ['shard-1.part', 'shard-3.part'],
      ['"sealedSecrets": "', '"sealedSecrets": "AAAA'],
      ['    "generation": 3', '     "generation": 3'],
      ['"hmac": ', '"hmac": null,\n"x": '],
    ];
    for (const [from, to] of FORGED) {
      assert.throws(() => openManifest(changed(bytes, from, to), KEY), valkeeperError('backup_damaged'), to);
    }
    const unsigned = changed(bytes, /"hmac": "\w+"/, '"hmac": null');
    assert.throws(() => openManifest(unsigned, KEY), valkeeperError('backup_damaged', /not written by one who/));
  });

  it('that is shown as one that is not encrypted is not authentic', () => {
    const shown = changed(sealManifest(manifestOf({ encrypted: false }), null), '"offset": 123456', '"offset": 123457');
    assert.ok(!openManifest(shown, KEY).isAuthentic);
  });

  it('has its secrets only with a key', () => {
    const draft = { ...manifestOf({ encrypted: false }), secrets: { password: 'hunter2', users: {} } };
    assert.throws(() => sealManifest(draft, null), valkeeperError('backup_key_missing'));
  });
});

describe('what a manifest says', () => {
  const WRONG: [name: string, change: (draft: Draft) => void, problem: RegExp][] = [
    ['a path as the name of a part', (m) => (m.shards[0]!.part.name = '../x'), /shards\.0\.part\.name/],
    ['a folder in the name of a part', (m) => (m.shards[0]!.part.name = 'a/b'), /shards\.0\.part\.name/],
    ['a hidden part', (m) => (m.shards[0]!.part.name = '.part'), /shards\.0\.part\.name/],
    ['a part with dots only between', (m) => (m.shards[0]!.part.name = 'a..b'), /shards\.0\.part\.name/],
    ['a path as its id', (m) => (m.id = '..'), /id/],
    ['a database that has no name', (m) => (m.database.name = 'a/b'), /database\.name/],
    ['a shard twice', (m) => (m.shards[1]!.name = 'shard-1'), /two shards have one name/],
    ['a part twice', (m) => (m.shards[1]!.part.name = 'shard-1.part'), /two shards have one part/],
    ['a slot that none has', (m) => (m.shards[1]!.slots = [[100, 8190]]), /16383 of 16384 slots/],
    ['a slot that two have', (m) => (m.shards[1]!.slots = [[99, 8191]]), /two shards have the slot 99/],
    ['a slot twice', (m) => m.shards[1]!.slots.push([8191, 8191]), /two shards have the slot 8191/],
    ['a range that ends before it begins', (m) => (m.shards[1]!.slots = [[8191, 100]]), /ends before/],
    ['a slot that there is not', (m) => m.shards[1]!.slots.push([16_384, 16_384]), /slots/],
    ['no shards', (m) => (m.shards = []), /shards/],
    ['a part that is encrypted, alone', (m) => (m.shards[1]!.part.encrypted = true), /not all of it is encrypted/],
    ['a number of bytes below zero', (m) => (m.shards[1]!.part.rawBytes = -1), /rawBytes/],
    ['a checksum in capitals', (m) => (m.shards[1]!.part.rawSha256 = 'A'.repeat(64)), /rawSha256/],
    ['a time that is none', (m) => (m.createdAt = 'yesterday'), /createdAt/],
    ['functions that are no base64', (m) => (m.functions = '*'), /functions/],
  ];
  for (const [name, change, problem] of WRONG) {
    it(`is neither written nor read with ${name}`, () => {
      const draft = structuredClone(manifestOf({ encrypted: false }));
      const bytes = sealManifest(draft, null);
      change(draft);
      assert.throws(() => sealManifest(draft, null), valkeeperError('internal', problem));
      const text = bytes.toString();
      const at = text.indexOf('"backup": ');
      const made = rechecked(`${text.slice(0, at)}"backup": ${JSON.stringify({ ...draft, keyId: null })}\n}\n`);
      assert.throws(() => openManifest(made, null), valkeeperError('backup_damaged', problem));
    });
  }

  it('may lack fields of the spec that came later, and have others that came later still', () => {
    const bytes = sealManifest(manifestOf({ encrypted: false }), null);
    const older = changed(bytes, /"pace": "fast"/, '"later": {}');
    assert.equal(openManifest(older, null).manifest.database.spec.pace, DEFAULT_SPEC.pace);
  });

  it('may have a shard without slots', () => {
    const draft = manifestOf({ encrypted: false });
    draft.shards[0]!.slots = [];
    draft.shards[1]!.slots = [[0, 16_383]];
    assert.deepEqual(openManifest(sealManifest(draft, null), null).manifest.shards[0]!.slots, []);
  });
});
