import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { valkeeperError } from '../../test/support/errors.ts';
import { decideJoin, type JoinedMachine } from './join.ts';
import {
  createJoinToken,
  DEFAULT_TOKEN_TTL_MS,
  type JoinTokenRecord,
  judgeJoinToken,
  LONGEST_TOKEN_TTL_MS,
  markUsed,
  parseJoinToken,
} from './join-token.ts';

const NOW = Date.parse('2030-01-01T00:00:00Z');
const FINGERPRINT = '0123456789abcdef'.repeat(4);
const ALPHA = { machine: 'alpha', keyId: 'a'.repeat(64) };
const BETA = { machine: 'beta', keyId: 'b'.repeat(64) };

const newToken = (labels = {}) =>
  createJoinToken({ ttlMs: DEFAULT_TOKEN_TTL_MS, now: NOW, fingerprint: FINGERPRINT, labels });

/** What a token's text is worth at a moment, in one word. */
const judged = (text: string, record: JoinTokenRecord | undefined, who = ALPHA, now = NOW): string =>
  judgeJoinToken(parseJoinToken(text), record, { ...who, now }).outcome;

describe('a join token', () => {
  it('carries its id, a secret and the fingerprint, in one word for a shell', () => {
    const { text, record } = newToken({ zone: 'a' });
    assert.match(text, /^valkeeper1\.[0-9a-f]{16}\.[\w-]{43}\.[\w-]{43}$/);
    const token = parseJoinToken(`  ${text}\n`);
    assert.equal(token?.id, record.id);
    assert.equal(token?.fingerprint, FINGERPRINT);
    assert.deepEqual(record.labels, { zone: 'a' });
    assert.deepEqual([record.createdAt, record.expiresAt, record.use], [NOW, NOW + DEFAULT_TOKEN_TTL_MS, null]);
    assert.notEqual(newToken().text, newToken().text);
  });

  it('is not stored: the record has no part of the secret', () => {
    const { text, record } = newToken();
    const { secret } = parseJoinToken(text)!;
    const stored = JSON.stringify(record);
    for (const form of ['base64url', 'base64', 'hex'] as const) assert.ok(!stored.includes(secret.toString(form)));
    assert.equal(judged(text, JSON.parse(stored)), 'fresh', 'and it survives being stored');
  });

  it('lives for as long as was said, within limits', () => {
    const make = (ttlMs: number) => () => createJoinToken({ ttlMs, now: NOW, fingerprint: FINGERPRINT });
    for (const ttlMs of [0, 999, -1, Number.NaN, LONGEST_TOKEN_TTL_MS + 1]) {
      assert.throws(make(ttlMs), valkeeperError('invalid_value', /ttl/));
    }
    assert.equal(make(LONGEST_TOKEN_TTL_MS)().record.expiresAt, NOW + LONGEST_TOKEN_TTL_MS);
  });
});

describe('what a token is worth', () => {
  it('fresh, until it has expired', () => {
    const { text, record } = newToken();
    assert.equal(judged(text, record), 'fresh');
    assert.equal(judged(text, record, ALPHA, record.expiresAt - 1), 'fresh');
    assert.equal(judged(text, record, ALPHA, record.expiresAt), 'expired');
  });

  it('used, once it has admitted a machine; repeated, for the same machine and key', () => {
    const { text, record } = newToken();
    const used = markUsed(record, { at: NOW, ...ALPHA });
    assert.equal(judged(text, used), 'repeated');
    assert.equal(judged(text, used, BETA), 'used');
    assert.equal(judged(text, used, { ...ALPHA, keyId: BETA.keyId }), 'used', 'the name alone is not enough');
    assert.equal(judged(text, used, { ...BETA, keyId: ALPHA.keyId }), 'used');
    assert.equal(judged(text, used, ALPHA, record.expiresAt), 'expired');
    assert.equal(judged(text, used, BETA, record.expiresAt), 'used');
  });

  it('unknown, when there is no such record, or the secret is another', () => {
    const [one, other] = [newToken(), newToken()];
    assert.equal(judged(one.text, undefined), 'unknown');
    assert.equal(judged(one.text, other.record), 'unknown');
    const mixed = one.text.replace(/\.[\w-]{43}\./, other.text.match(/\.[\w-]{43}\./)![0]);
    assert.equal(judged(mixed, one.record), 'unknown');
    const usedByOther = markUsed(one.record, { at: NOW, ...BETA });
    assert.equal(judged(mixed, usedByOther, ALPHA, one.record.expiresAt), 'unknown', 'a guess learns nothing');
  });

  it('reserved, when it is for another name', () => {
    const { text, record } = createJoinToken({
      ttlMs: DEFAULT_TOKEN_TTL_MS,
      now: NOW,
      fingerprint: FINGERPRINT,
      machine: 'alpha',
    });
    assert.equal(judged(text, record), 'fresh');
    assert.equal(judged(text, record, BETA), 'reserved');
    assert.equal(judged(text, record, BETA, record.expiresAt), 'expired');
  });

  it('malformed, when it is not whole', () => {
    const { text, record } = newToken();
    for (let length = 0; length < text.length; length += 1) {
      assert.equal(judged(text.slice(0, length), record), 'malformed', `the first ${length} characters`);
    }
    for (const bad of [`${text}.x`, `${text}A`, text.replace('valkeeper1', 'valkeeper2'), text.replaceAll('.', ':')]) {
      assert.equal(judged(bad, record), 'malformed');
    }
    fc.assert(fc.property(fc.string(), (any) => judged(any, record) === 'malformed'));
  });

  it('no character can be changed: another fingerprint is another control plane, all else is no such token', () => {
    const { text, record } = newToken();
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=';
    for (let at = 0; at < text.length; at += 1) {
      for (const other of alphabet.replace(text[at]!, '')) {
        const changed = `${text.slice(0, at)}${other}${text.slice(at + 1)}`;
        const isSame = judged(changed, record) === 'fresh' && parseJoinToken(changed)?.fingerprint === FINGERPRINT;
        assert.ok(!isSame, `${other} at ${at}`);
      }
    }
  });
});

describe('joining', () => {
  const decide = (text: string, record: JoinTokenRecord | undefined, present?: JoinedMachine, who = ALPHA, now = NOW) =>
    decideJoin(judgeJoinToken(parseJoinToken(text), record, { ...who, now }), present, {
      name: who.machine,
      keyId: who.keyId,
      now,
    });

  it('with a fresh token: the token is used, the name taken', () => {
    const { text, record } = newToken();
    const decision = decide(text, record);
    assert.ok(decision.admitted);
    assert.deepEqual(decision.token.use, { at: NOW, ...ALPHA });
    assert.deepEqual(decision.joined, { name: 'alpha', keyId: ALPHA.keyId });
  });

  it('again with the same key, since the answer was lost: the same comes of it', () => {
    const { text, record } = newToken();
    const first = decide(text, record);
    assert.ok(first.admitted);
    assert.deepEqual(decide(text, first.token, first.joined, ALPHA, NOW + 1_000), first);
  });

  it('not again, when the machine was removed meanwhile', () => {
    const { text, record } = newToken();
    const first = decide(text, record);
    assert.ok(first.admitted);
    const again = decide(text, first.token, undefined);
    assert.ok(!again.admitted && valkeeperError('join_token_used')(again.error));
  });

  it('is refused for another key under a name that is taken, even with a fresh token', () => {
    const { text, record } = newToken();
    const decision = decide(text, record, { name: 'alpha', keyId: BETA.keyId });
    assert.ok(!decision.admitted && valkeeperError('machine_name_taken', /alpha/)(decision.error));
  });

  it('is refused with what else is wrong with the token', () => {
    const { text, record } = newToken();
    const errorOf = (...args: Parameters<typeof decide>) => {
      const decision = decide(...args);
      assert.ok(!decision.admitted);
      return decision.error;
    };
    assert.ok(valkeeperError('join_token_malformed')(errorOf('nonsense', record)));
    assert.ok(valkeeperError('join_token_unknown')(errorOf(text, undefined)));
    const late = errorOf(text, record, undefined, ALPHA, record.expiresAt);
    assert.ok(valkeeperError('join_token_expired', /2030-01-01T01:00/)(late));
    const used = errorOf(text, markUsed(record, { at: NOW, ...BETA }));
    assert.ok(valkeeperError('join_token_used', /2030-01-01T00:00:00.000Z by the machine beta/)(used));
  });
});
