/** A machine joins: it finds the control plane that its token speaks of, and asks it for a certificate. */
import type { RequestOptions } from 'node:https';
import { ValkeeperError } from '../domain/errors.ts';
import { AGENT_PROTOCOL } from '../protocol/agent-messages.ts';
import { JOIN_PATH, type JoinRequest } from '../protocol/join-messages.ts';
import { type Credentials, joiningOptions } from '../trust/credentials.ts';
import { parseJoinToken } from '../trust/join-token.ts';
import { fetchAuthority } from '../trust/pinned.ts';
import { acceptReply, type KeyAndRequest } from '../trust/request.ts';
import { askControl, firstThatAnswers } from './ask-control.ts';

const CONNECT_MS = 5_000;

/** What the machine says of itself. */
export type JoinWish = Pick<JoinRequest, 'token' | 'name' | 'address' | 'zone' | 'labels' | 'memoryBytes'>;

/**
 * Tries one server after the other, until one answers. Nothing is sent to one that is not of the token's fleet.
 * @param urls such as `https://10.0.0.1:7440`
 * @throws join_token_malformed, wrong_control_plane, no_answer, clock_off, certificate_unfit, and what is refused
 */
export async function joinFleet(
  urls: readonly string[],
  wish: JoinWish,
  { key, request }: KeyAndRequest,
): Promise<Credentials> {
  const token = parseJoinToken(wish.token);
  if (token === null) throw new ValkeeperError('join_token_malformed');
  const identity = { kind: 'machine', name: wish.name } as const;
  return firstThatAnswers(urls, async (url) => {
    const { hostname: host, port } = new URL(url);
    const pinned = { host, port: Number(port || 443), fingerprint: token.fingerprint, timeoutMs: CONNECT_MS };
    const authority = await fetchAuthority(pinned);
    const body: JoinRequest = { ...wish, protocol: AGENT_PROTOCOL, request, now: Date.now() };
    const reply = await askControl(url, JOIN_PATH, body, joiningOptions(authority) as RequestOptions);
    return acceptReply(key, reply, identity, Date.now());
  });
}
