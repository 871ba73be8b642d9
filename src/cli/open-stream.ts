/** Opens an answer that goes on: of a route that streams. */
import type { IncomingMessage } from 'node:http';
import { type ErrorDocument, fromErrorDocument } from '../domain/errors.ts';
import { API_PREFIX } from '../protocol/prefix.ts';
import type { Endpoint } from './endpoint.ts';
import { failureOf, transportTo } from './transport.ts';

export interface StreamRequest {
  /** After the prefix of the API. */
  path: string;
  /** Longest wait for its head. */
  headMs: number;
  /** Silence for longer is a lost connection. */
  silenceMs: number;
  signal?: AbortSignal;
}

/** Resolves with its head. @throws not_running when nobody listens, no_answer, and what the API refuses */
export async function openStream(
  endpoint: Endpoint,
  { path, headMs, silenceMs, signal }: StreamRequest,
): Promise<IncomingMessage> {
  const { url, token } = endpoint;
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const headers = { authorization: `Bearer ${token}` };
  const stop = signal === undefined ? {} : { signal };
  const outgoing = transportTo(endpoint)(url + API_PREFIX + path, { headers, timeout: headMs, ...stop });
  outgoing.once('timeout', () => outgoing.destroy());
  outgoing.once('response', (response: IncomingMessage) => {
    response.setTimeout(silenceMs, () => outgoing.destroy());
    resolve(response);
  });
  outgoing.on('error', (error: NodeJS.ErrnoException) => reject(failureOf(error, endpoint)));
  outgoing.end();
  const response = await promise;
  if (response.statusCode === 200) return response;
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  throw fromErrorDocument(JSON.parse(text) as ErrorDocument);
}
