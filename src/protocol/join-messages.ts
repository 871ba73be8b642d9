/**
 * What a machine says to join, and to renew its certificate: one POST each, over TLS, apart from the API. Plain types, no
 * schema library: agents stay small.
 */

/** Path of the request with a token, for machines without a certificate. */
export const JOIN_PATH = '/agent/v1/join';

/** Path of the request for a new certificate, by the present one. */
export const RENEW_PATH = '/agent/v1/renew';

/** Longest of these bodies, in bytes. */
export const JOIN_BODY_BYTES = 32 * 1024;

/** The body of `JOIN_PATH`. */
export interface JoinRequest {
  /** `AGENT_PROTOCOL`. */
  protocol: number;
  token: string;
  name: string;
  /** Certificate signing request, PEM. */
  request: string;
  /** IPv4, where its nodes are to listen. */
  address: string;
  zone: string;
  labels: Record<string, string>;
  /** Memory it gives to nodes, in bytes. */
  memoryBytes: number;
  /** Its clock, in milliseconds since the epoch: one that is far off is better told before anything else. */
  now: number;
}

/** The body of `RENEW_PATH`. */
export interface RenewRequest {
  /** Certificate signing request, PEM. */
  request: string;
}

/** The answer to both; what is refused is answered with an error document. */
export interface CertificateReply {
  /** PEM. */
  certificate: string;
  /** The authorities to be believed, PEM each. */
  bundle: string[];
}
