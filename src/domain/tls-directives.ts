/** What makes a node speak TLS only: to clients, to its primary, and on the cluster bus. Facts: docs/adr/0009-trust.md. */

/** Where a node finds what it shows and whom it believes; the files of its machine, shared by all nodes there. */
export interface TlsFiles {
  /** The machine's key and certificate in one file, so that both are renewed by one rename. */
  identity: string;
  /** The certificates of the authorities. */
  authorities: string;
}

/** Seconds after which a node looks whether its files have changed. */
const RELOAD_SECONDS = 60;

/**
 * The TLS lines of valkey.conf for a node at this port, in place of its line `port`, which must not come after them. The
 * bus is 10000 above as ever, and nothing listens without TLS. The ports in nodes.conf are then read as TLS ports.
 */
export const tlsDirectives = ({ identity, authorities }: TlsFiles, port: number): [name: string, value: string][] => [
  ['port', '0'],
  ['tls-port', String(port)],
  ['tls-cert-file', identity],
  ['tls-key-file', identity],
  ['tls-ca-cert-file', authorities],
  // Who has no certificate of ours gets no further than the handshake; apps come in by an endpoint.
  ['tls-auth-clients', 'yes'],
  ['tls-replication', 'yes'],
  ['tls-cluster', 'yes'],
  // Everybody who may connect is of our own making.
  ['tls-protocols', 'TLSv1.3'],
  ['tls-auto-reload-interval', String(RELOAD_SECONDS)],
];

/**
 * What CONFIG SET is given for a node to read its files anew at once, or to say why it cannot; setting the same names
 * again is enough. It must be used when the authorities have changed: of their file, the engine's own look sees only
 * whether the first certificate is another.
 */
export const tlsReload = ({ identity, authorities }: TlsFiles): Record<string, string> => ({
  'tls-cert-file': identity,
  'tls-key-file': identity,
  'tls-ca-cert-file': authorities,
});
