/** A server elsewhere that commands talk to: named by options or the environment. Every command loads this. */
import { readFileSync } from 'node:fs';
import type { Endpoint, Remote } from '../cli/endpoint.ts';
import { serverUrl } from '../cli/options.ts';
import { ValkeeperError } from '../domain/errors.ts';

/** What the environment names; null when it names no server. */
export function remoteIn(env: NodeJS.ProcessEnv): Remote | null {
  const { VALKEEPER_SERVER: server, VALKEEPER_CA: ca, VALKEEPER_API_TOKEN_FILE: apiTokenFile } = env;
  return server ? { server, ca: ca || undefined, apiTokenFile: apiTokenFile || undefined } : null;
}

/** @throws invalid_value, usage, file_unusable */
export function remoteEndpoint({ server, ca, apiTokenFile }: Remote): Endpoint {
  const url = serverUrl('--server', server);
  if (apiTokenFile === undefined) {
    throw new ValkeeperError('usage', {
      problem: `${url} wants a token, and none was named.`,
      remedy: 'Copy the file `token` of its data directory, and name the copy with --api-token-file.',
    });
  }
  const endpoint = { dataDir: null, url, token: read(apiTokenFile).trim() };
  return ca === undefined ? endpoint : { ...endpoint, ca: read(ca) };
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const problem = (error as Error).message;
    throw new ValkeeperError('file_unusable', { verb: 'read', path, problem }, { cause: error });
  }
}
