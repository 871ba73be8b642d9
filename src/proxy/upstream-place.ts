/** Where a connection to a node leads, how it begins, and who is told of it. */
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

export interface UpstreamOwner {
  upstreamReady(): void;
  /** Said once; its entries were told before. `refusal` is the engine's error, when it did not let us in. */
  upstreamClosed(refusal: string | null): void;
  /** It became a replica with writes on their way to its replicas; `settle` or `close` are to follow. */
  upstreamReplaced(): void;
  /** RESP3's out of band data, whole; used up before this returns. */
  upstreamPush(bytes: Buffer, from: number, to: number): void;
  /** How long a command was at the node; told of one in some. */
  upstreamAnswered(ms: number): void;
}
