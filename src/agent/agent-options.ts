/** What an agent is made of, and what its owner can do with it. */
import type { ValkeeperError } from '../domain/errors.ts';
import type { TlsFiles } from '../domain/tls-directives.ts';
import type { Logger } from '../platform/log.ts';
import type { ForkPorts } from './fork-keeper.ts';
import type { PulseOptions } from './pulse.ts';

export interface AgentOptions {
  /** The machine's folder. */
  dir: string;
  machine: string;
  /** Where its nodes listen. */
  address: string;
  zone: string;
  /** Memory the machine gives to nodes, in bytes; 0: it is a witness. */
  memoryBytes: number;
  enginePath: string;
  engineVersion: string;
  /** Where control planes are, such as `http://127.0.0.1:7420`; one that answers tells of the others. */
  controlUrls: readonly string[];
  /** With which a local agent comes. One with credentials needs none. */
  token: string | null;
  /** From 0 to 1: when in its time a certificate is renewed; without it, at random. */
  renewalJitter?: number;
  /** How often it is looked whether it is time, in ms. */
  renewalLookMs?: number;
  /** Client ports that nodes may get: the first and the last. */
  portRange: readonly [number, number];
  /** Where it answers the agents of other machines; 0: any port that is free, the same again after a restart. */
  neighbourPort: number;
  /** What the machine shows and believes; null: nothing here speaks TLS. */
  credentials: TlsFiles | null;
  /** Nodes without TLS are meant, though others reach the address. */
  plainText: boolean;
  /** File of the endpoint's program; null: this machine has no endpoint. */
  endpointProgram: string | null;
  /** Processes that share the endpoint's work. */
  endpointWorkers?: number;
  /** What becomes of a node's shard if the node is ended; without it, it is found out. */
  ifEnded?: PulseOptions['ifEnded'];
  /** What snapshots and new logs are decided by; without it, the machine's own. */
  forks?: Partial<ForkPorts>;
  /** The control plane takes this agent, or does not. */
  welcomed?: () => void;
  refused?: (error: ValkeeperError) => void;
  log: Logger;
}

export interface Agent {
  /** Ends the agent; its nodes go on. */
  close(): Promise<void>;
  /**
   * The files of its credentials were renewed: agent, nodes and endpoint read them anew, and what is connected stays.
   * @throws credentials_unusable: then all keep those of before
   */
  readCredentials(): Promise<void>;
  /** How it ended: `shut-down` with its nodes, on request, or `detached` from them. */
  closed: Promise<'shut-down' | 'detached'>;
}
