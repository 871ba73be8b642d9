/** How asking a node can fail. Inside only: what a person may see becomes a ValkeeperError. */
import type { ReplyError } from '../resp/reply.ts';

/**
 * Why there is no answer:
 * `refused` nothing listens there;
 * `unreachable` the network says so (no route, unknown host);
 * `timeout` no connection, admission or answer in time;
 * `closed` the connection was lost, or closed by us;
 * `not_trusted` the TLS handshake failed: it is not the node we meant, its certificate is not in order, or it speaks no TLS;
 * `not_admitted` the node turned us away: the wrong password, our certificate, too many clients;
 * `not_resp` what answers is no Valkey;
 * `too_many_commands` the queue is full.
 * After `timeout` and `closed` a command may have taken effect, or take effect yet; after all others it was not sent.
 */
export type UnreachableReason =
  | 'refused'
  | 'unreachable'
  | 'timeout'
  | 'closed'
  | 'not_trusted'
  | 'not_admitted'
  | 'not_resp'
  | 'too_many_commands';

/** The node did not answer. */
export class EngineUnreachable extends Error {
  override readonly name = 'EngineUnreachable';
  readonly reason: UnreachableReason;

  constructor(reason: UnreachableReason, detail: string) {
    super(detail);
    this.reason = reason;
  }
}

/** The node answered with an error. */
export class EngineReplyError extends Error {
  override readonly name = 'EngineReplyError';
  /** The error's first word. */
  readonly code: string;

  constructor(command: string, { code, message }: ReplyError) {
    super(`${command}: ${message}`);
    this.code = code;
  }
}
