/** Who is at the other end of an agent's connection: found out before a word of it is believed. */
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import { keyIdOf } from '../trust/key-id.ts';
import { checkPeer } from '../trust/peer.ts';
import { peerError } from '../trust/peer-error.ts';

/** A local agent, which came with the token of the data directory; or a machine, which showed its certificate. */
export type AgentCaller =
  | { readonly kind: 'local' }
  | { readonly kind: 'machine'; readonly name: string; readonly keyId: string };

/** The machine whose certificate was shown. @throws peer_no_certificate and the other codes of `peerError` */
export function machineCaller({ socket }: IncomingMessage, now: number): Extract<AgentCaller, { kind: 'machine' }> {
  const who = `The agent at ${socket.remoteAddress ?? 'an unknown address'}`;
  if (!(socket instanceof TLSSocket)) throw peerError({ why: 'no_certificate' }, who, now);
  const peer = checkPeer(socket, { kind: 'machine' }, now);
  if (!peer.accepted) throw peerError(peer.refusal, who, now);
  if (peer.identity.kind !== 'machine') throw peerError({ why: 'no_certificate' }, who, now);
  return { kind: 'machine', name: peer.identity.name, keyId: keyIdOf(peer.certificate) };
}
