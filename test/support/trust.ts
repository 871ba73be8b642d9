/** Authorities, credentials and TLS servers for tests: all real, made anew for each test. */
import { once } from 'node:events';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { TlsFiles } from '../../src/domain/tls-directives.ts';
import { type Authority, createAuthority, openAuthority, readRequest } from '../../src/trust/authority.ts';
import { bundleText } from '../../src/trust/bundle.ts';
import { type Credentials, serverOptions } from '../../src/trust/credentials.ts';
import type { Identity } from '../../src/trust/identity.ts';
import { createRequest } from '../../src/trust/request.ts';

export const LOCALHOST = '127.0.0.1';
export const CONTROL: Identity = { kind: 'control' };

/** The identity of the machine with this name. */
export const machine = (name: string): Identity => ({ kind: 'machine', name });

/** When a certificate is issued (without it: now), for how long, and for which addresses (without them: loopback). */
export interface Wish {
  now?: number;
  validityMs?: number;
  addresses?: readonly string[];
}

export interface TestAuthority extends Authority {
  /** A key, a request, and what the authority makes of it, without looking at the result. */
  credentials(identity: Identity, wish?: Wish): Promise<Credentials>;
}

/** @param now when it is made: it vouches for nothing before that */
export async function testAuthority(now = Date.now()): Promise<TestAuthority> {
  const authority = await openAuthority(await createAuthority(now));
  return {
    ...authority,
    credentials: async (identity, wish = {}) => {
      const { key, request: pem } = createRequest(identity);
      const request = await readRequest(pem);
      const order = { request, identity, addresses: [LOCALHOST], now: Date.now(), ...wish };
      const { certificate } = await authority.issue(order);
      return { key, certificate, bundle: [authority.certificate] };
    },
  };
}

/** A TLS server of this process; `onSocket` is called when a handshake is over. */
export async function tlsServer(
  t: TestContext,
  credentials: Credentials,
  onSocket: (socket: TLSSocket) => void = (socket) => void socket.resume(),
): Promise<{ port: number; server: Server; sockets: TLSSocket[] }> {
  const sockets: TLSSocket[] = [];
  const server = createServer(serverOptions(credentials), (socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    onSocket(socket);
  });
  server.on('tlsClientError', () => {}); // the client is told
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  server.listen(0, LOCALHOST);
  await once(server, 'listening');
  return { port: (server.address() as { port: number }).port, server, sockets };
}

/** The files of a machine, as its nodes read them; written again they are replaced, each by a rename. */
export function writeTlsFiles(dir: string, { certificate, key, bundle }: Credentials): TlsFiles {
  const files = { identity: join(dir, 'machine.pem'), authorities: join(dir, 'authorities.pem') };
  const contents = { identity: `${key}${certificate}`, authorities: bundleText(bundle) };
  for (const name of ['authorities', 'identity'] as const) {
    writeFileSync(`${files[name]}.new`, contents[name], { mode: 0o600 });
    renameSync(`${files[name]}.new`, files[name]);
  }
  return files;
}
