/** Whom clients with TLS must believe. */
import { ValkeeperError } from '../domain/errors.ts';
import type { AuthoritiesDocument } from '../protocol/api.ts';
import { bundleText } from '../trust/bundle.ts';
import type { Credentials } from '../trust/credentials.ts';

/** @param credentials of the control plane; null when the fleet has no authority. @throws no_authority */
export function authoritiesOf(credentials: (() => Credentials) | null): AuthoritiesDocument {
  if (credentials === null) throw new ValkeeperError('no_authority');
  return { pem: bundleText(credentials().bundle) };
}
