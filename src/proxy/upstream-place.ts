/** Where a connection to a node leads, and how it begins. */
import type { ConnectionOptions } from 'node:tls';
import type { CommandArgument } from '../resp/encode.ts';
import type { Acknowledging } from './acknowledging.ts';

/** What an upstream is for. */
export interface UpstreamPlace {
  host: string;
  port: number;
  /** With which certificate, and to whom; null: without TLS. */
  tls: ConnectionOptions | null;
  /** Sent before anything else, each answered without an error. */
  setup: readonly (readonly CommandArgument[])[];
  /** Of a connection whose writes replicas must acknowledge before they are answered. */
  acknowledging: Acknowledging | null;
}
