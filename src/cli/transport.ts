/** One request to an API: plain on this machine, over TLS elsewhere; and what its failure means. */
import type { ClientRequest, RequestOptions } from 'node:http';
import { ValkeeperError } from '../domain/errors.ts';
import type { Endpoint } from './endpoint.ts';

export type Transport = (url: string, options: RequestOptions) => ClientRequest;

/** Connections are kept for the next request. */
export function transportTo({ url, ca }: Endpoint): Transport {
  // `import` reads every export of node:http, and one of them is a getter that loads a whole WebSocket client: 40 ms.
  if (url.startsWith('http:')) {
    const { Agent, request } = process.getBuiltinModule('node:http');
    const agent = new Agent({ keepAlive: true });
    return (target, options) => request(target, { ...options, agent });
  }
  const { Agent, request } = process.getBuiltinModule('node:https');
  const agent = new Agent({ keepAlive: true, ...(ca === undefined ? {} : { ca }) });
  return (target, options) => request(target, { ...options, agent });
}

/** What OpenSSL and Node say of a server that is not who it should be. */
const UNTRUSTED =
  /^(?:CERT_|UNABLE_TO_|SELF_SIGNED_CERT|DEPTH_ZERO_SELF_SIGNED_CERT|ERR_TLS_CERT_ALTNAME_INVALID|INVALID_CA)/;

/** @throws nothing: the error to throw */
export function failureOf(error: NodeJS.ErrnoException, { url, dataDir }: Endpoint): ValkeeperError {
  const { code = '', message } = error;
  if (code === 'ECONNREFUSED' && dataDir !== null) {
    return new ValkeeperError('not_running', { dir: dataDir }, { cause: error });
  }
  if (UNTRUSTED.test(code)) return new ValkeeperError('server_untrusted', { url, detail: message }, { cause: error });
  return new ValkeeperError('no_answer', { url, detail: message }, { cause: error });
}
