/** What a person is told of a peer that is not accepted. */
import { ValkeeperError } from '../domain/errors.ts';
import { describeIdentity } from './identity.ts';
import type { Expected, Refusal } from './peer.ts';

/**
 * The error for a refusal.
 * @param peer who or what it is, to begin a sentence with: `The control plane at 10.0.0.1:7420`
 * @param now milliseconds since the epoch
 */
export function peerError(refusal: Refusal, peer: string, now: number): ValkeeperError {
  switch (refusal.why) {
    case 'no_certificate':
      return new ValkeeperError('peer_no_certificate', { peer });
    case 'wrong_authority':
    case 'refused_us':
      return new ValkeeperError(`peer_${refusal.why}`, { peer, detail: refusal.detail });
    case 'expired':
    case 'not_yet_valid': {
      const preposition = refusal.why === 'expired' ? 'at' : 'before';
      const when = refusal.at === null ? '' : ` (${preposition} ${iso(refusal.at)})`;
      return new ValkeeperError(`peer_${refusal.why}`, { peer, when, now: iso(now) });
    }
    case 'another_kind':
    case 'another_name': {
      const { found, expected } = refusal;
      const params = { peer, wanted: describeExpected(expected), found: describeIdentity(found) };
      return new ValkeeperError(`peer_${refusal.why}`, params);
    }
  }
}

const describeExpected = (expected: Expected): string => {
  if (expected.kind === 'control') return 'a control plane';
  return expected.name === undefined ? 'a machine' : `the machine ${expected.name}`;
};

const iso = (at: number): string => new Date(at).toISOString();
