/**
 * The first contact of a machine that joins. It knows one thing of the control plane, from its token: the fingerprint of
 * the authority's certificate. The control plane shows that certificate in its handshake; from then on it is believed
 * like any other, and everything is verified in the ordinary way, on a new connection.
 */
import type { X509Certificate } from 'node:crypto';
import { connect, type TLSSocket } from 'node:tls';
import { ValkeeperError } from '../domain/errors.ts';
import { fingerprintOf } from './bundle.ts';
import { MIN_VERSION } from './credentials.ts';

/** Certificates that may stand behind that of the control plane. */
const LONGEST_CHAIN = 4;

export interface PinnedOptions {
  readonly host: string;
  readonly port: number;
  /** Of the authority's certificate, as in the token. */
  readonly fingerprint: string;
  readonly timeoutMs: number;
}

/**
 * The authority's certificate, in PEM, as the control plane shows it. Nothing is sent to what answers but the start of a
 * handshake, and nothing else that it shows is believed.
 * @throws wrong_control_plane when it shows no certificate with this fingerprint; no_answer when it cannot be reached,
 * does not speak TLS or takes too long
 */
export async function fetchAuthority({ host, port, fingerprint, timeoutMs }: PinnedOptions): Promise<string> {
  const { promise: shown, resolve, reject } = Promise.withResolvers<X509Certificate[]>();
  // Only looked at, and ended at once: whether it has the key of this certificate is for the next connection to see.
  const socket: TLSSocket = connect({ host, port, minVersion: MIN_VERSION, rejectUnauthorized: false });
  const timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  socket.once('secureConnect', () => resolve(chainOf(socket)));
  socket.on('error', reject);
  socket.once('close', () => reject(new Error('the connection was closed')));
  try {
    const chain = await shown;
    const authority = chain.find((certificate) => fingerprintOf(certificate) === fingerprint);
    if (authority === undefined)
      throw new ValkeeperError('wrong_control_plane', { address: `${host}:${port}`, fingerprint });
    return authority.toString();
  } catch (error) {
    if (error instanceof ValkeeperError) throw error;
    throw new ValkeeperError('no_answer', { url: `https://${host}:${port}`, detail: (error as Error).message });
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}

function chainOf(socket: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = [];
  let next = socket.getPeerX509Certificate();
  while (next !== undefined && chain.length < LONGEST_CHAIN) {
    chain.push(next);
    next = next.issuerCertificate;
  }
  return chain;
}
