/** Who a certificate speaks for: what the authority writes into it, and how it is read again. */
import type { X509Certificate } from 'node:crypto';
import { isName } from '../domain/ids.ts';

/** A control plane, all of which are alike; or one machine with everything that runs on it: agent, nodes, endpoint. */
export type Identity = { readonly kind: 'control' } | { readonly kind: 'machine'; readonly name: string };

const SCHEME = 'valkeeper://';

/** The address-like name in a certificate's alternative names: `valkeeper://machine/NAME`, `valkeeper://control`. */
export const uriOf = (identity: Identity): string =>
  identity.kind === 'control' ? `${SCHEME}control` : `${SCHEME}machine/${identity.name}`;

/** The common name of its certificate and of its request: for people and logs; who is meant is decided by the URI. */
export const commonNameOf = (identity: Identity): string =>
  identity.kind === 'control' ? 'valkeeper control plane' : identity.name;

/** In a sentence. */
export const describeIdentity = (identity: Identity | null): string => {
  if (identity === null) return 'nobody that Valkeeper knows';
  return identity.kind === 'control' ? 'a control plane' : `the machine ${identity.name}`;
};

/**
 * Whom the certificate was issued to; null when it is none of ours. It says nothing of whether the certificate is to be
 * believed: that the TLS handshake has found out before.
 */
export function identityIn(certificate: X509Certificate): Identity | null {
  const names = certificate.subjectAltName ?? '';
  // Node quotes a name that could be mistaken for several. The authority issues none such.
  if (names.includes('"')) return null;
  const uris = names.split(', ').filter((name) => name.startsWith(`URI:${SCHEME}`));
  return uris.length === 1 ? parseUri(uris[0]!.slice('URI:'.length)) : null;
}

function parseUri(uri: string): Identity | null {
  const [kind, name, ...more] = uri.slice(SCHEME.length).split('/');
  if (more.length > 0) return null;
  if (kind === 'control') return name === undefined ? { kind } : null;
  return kind === 'machine' && name !== undefined && isName(name) ? { kind, name } : null;
}
