/** What listens without TLS, and may not. */
import { ValkeeperError } from '../domain/errors.ts';
import { mayListen } from '../domain/plain-text.ts';
import type { AgentOptions } from './agent-options.ts';

/** @throws plain_text_refused */
export function requireTls(what: string, tls: boolean, { address, machine, plainText }: AgentOptions): void {
  if (mayListen({ address, tls, plainText })) return;
  throw new ValkeeperError('plain_text_refused', { what, address, machine });
}
