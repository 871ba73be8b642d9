/** The two requests of machines that are no part of the API: to join, and to renew a certificate. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { httpStatusOf, toErrorDocument, ValkeeperError } from '../domain/errors.ts';
import type { Clock } from '../platform/clock.ts';
import type { Logger } from '../platform/log.ts';
import { type CertificateReply, JOIN_BODY_BYTES, JOIN_PATH, RENEW_PATH } from '../protocol/join-messages.ts';
import { machineCaller } from './agent-caller.ts';
import type { Joining } from './joining.ts';

/** Says whether it was one of these requests: it is answered then. */
export type JoinDoor = (request: IncomingMessage, response: ServerResponse) => boolean;

/**
 * Answers them. What is refused is answered with the error's document.
 * @param joining that of who leads now; it throws not_leader when another does
 */
export function createJoinDoor(joining: () => Joining, clock: Clock, log: Logger): JoinDoor {
  const replyTo = async (request: IncomingMessage): Promise<CertificateReply> => {
    if (request.method !== 'POST') {
      const { method = '', url = '' } = request;
      throw new ValkeeperError('method_not_allowed', { method, path: url, allowed: 'POST' });
    }
    if (request.url === JOIN_PATH) return joining().join(await readBody(request), request.socket.remoteAddress ?? '?');
    return joining().renew(machineCaller(request, clock.now()), await readBody(request));
  };
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const send = (status: number, body: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
      response.end(JSON.stringify(body));
    };
    response.setHeader('date', new Date(clock.now()).toUTCString());
    try {
      send(200, await replyTo(request));
    } catch (error) {
      const document = toErrorDocument(error);
      if (document.kind === 'internal') log.error({ err: error }, 'A machine could not be answered.');
      send(httpStatusOf(document), document);
    }
  };
  return (request, response) => {
    if (request.url !== JOIN_PATH && request.url !== RENEW_PATH) return false;
    void answer(request, response);
    return true;
  };
}

/** @throws body_too_large, invalid_value */
async function readBody(request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk;
    if (text.length > JOIN_BODY_BYTES) throw new ValkeeperError('body_too_large', { limitBytes: JOIN_BODY_BYTES });
  }
  try {
    return JSON.parse(text);
  } catch {
    const remedy = 'Agent and control plane must be of the same version.';
    throw new ValkeeperError('invalid_value', { field: 'body', problem: 'must be a JSON document', remedy });
  }
}
