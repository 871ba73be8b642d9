/** What is compared: ways to give a cluster another number of shards while it is used. */
import type { Address } from '../support/formation.ts';
import type { Nodes } from './nodes.ts';

/** By the word for `--systems`, in the order of the table. */
export const SYSTEMS = {
  fast: 'Valkeeper fast',
  gentle: 'Valkeeper gentle',
  keys: 'valkey-cli key by key',
  atomic: 'valkey-cli atomic',
  'fast-endpoint': 'Valkeeper fast, by its endpoint',
  'gentle-endpoint': 'Valkeeper gentle, by its endpoint',
} as const;

export type SystemId = keyof typeof SYSTEMS;

/** Without the endpoint, which has no counterpart. */
export const COMPARED: readonly SystemId[] = ['fast', 'gentle', 'keys', 'atomic'];

/** Where the load's clients go, and how: each to one address, or each finding all nodes by these addresses. */
export interface Target {
  way: 'endpoint' | 'cluster';
  addresses: Address[];
  password: string | null;
}

/** Three shards with a replica each, at first. */
export interface System {
  readonly nodes: Nodes;
  readonly target: Target;
  /** All nodes that belong to it now. */
  addresses(): Promise<Address[]>;
  /** Makes it so many shards; resolves when that is over, with the new nodes made and those without slots gone. */
  change(shards: number): Promise<void>;
}
