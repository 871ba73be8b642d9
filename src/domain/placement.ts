/** The words of placement: its rules, how they can fail, what would help, and why each node of a database is where it is. */
import type { NodeId } from './ids.ts';

/** Broken only where nothing better exists. */
export const HARD_RULES = ['apart', 'zones', 'majority', 'memory'] as const;
export type HardRule = (typeof HARD_RULES)[number];

/** Kept as far as the hard ones allow, when nodes are placed; nothing moves for them alone. */
export const SOFT_RULES = ['even_primaries', 'even_nodes', 'even_memory'] as const;
export type SoftRule = (typeof SOFT_RULES)[number];

/** One case in which a rule does not hold. */
export type Breach =
  /** So many copies of a shard are on one machine. */
  | { rule: 'apart'; shard: string; machine: string; copies: number }
  /** So many copies of a shard are in one zone. */
  | { rule: 'zones'; shard: string; zone: string; copies: number }
  /** A machine holds so many primaries, more than half of all. */
  | { rule: 'majority'; machine: string; primaries: number }
  /** What a machine has reserved exceeds its memory by so much. */
  | { rule: 'memory'; machine: string; overBytes: number };

/** Machines to be added to a fleet. */
export interface Addition {
  machines: number;
  /** Memory for nodes that each of them must have, in bytes. */
  bytes: number;
  /** `any`: wherever they are. `another`: not in those of `notIn`. `new`: each in one that no other machine is in. */
  zone: 'any' | 'another' | 'new';
  /** The zones in which they would not help. */
  notIn: string[];
}

/** What would mend a broken rule, or lessen what is wrong. */
export type Remedy =
  /** Other primaries among the same copies; this switchover first. */
  | { kind: 'switch_over'; shard: string; from: string; to: string }
  /** One copy on another machine. */
  | { kind: 'move'; shard: string; from: string; to: string }
  /** Several copies on other machines: placed anew, the database would break the rule less. */
  | { kind: 'rearrange' }
  /** More machines; or one of these back, which are away. */
  | { kind: 'add'; add: Addition; back: string[] };

/** Why a machine cannot take a copy of a shard. */
export const REFUSALS = ['has_copy', 'no_room', 'disk_filling', 'away', 'draining', 'removed'] as const;
export type Refusal = (typeof REFUSALS)[number];

/** Why a copy is not on another machine. The last three speak for that machine, as things are now. */
export const REASONS = [
  ...REFUSALS,
  'shares_zone',
  'more_nodes',
  'fuller',
  'as_good',
  'another_zone',
  'fewer_nodes',
  'emptier',
] as const;
export type Reason = (typeof REASONS)[number];

/** Machines of which the same is to be said. */
export interface MachineGroup {
  because: Reason;
  machines: number;
  /** The first few of them. */
  examples: string[];
}

/** One node: where it is, and what speaks for it. */
export interface NodeExplanation {
  node: NodeId;
  shard: string;
  role: 'primary' | 'replica';
  machine: string;
  /** Null when nothing is known of the machine. */
  zone: string | null;
  /** The other copies of its shard. */
  others: { machine: string; zone: string | null }[];
  /** Of this database, on its machine. */
  nodesHere: number;
  primariesHere: number;
  /** Memory of its machine, and how much of it all nodes there reserve, in bytes. */
  memoryBytes: number;
  reservedBytes: number;
  /** All other machines. */
  elsewhere: MachineGroup[];
  sentences: string[];
}

/** One rule: whether it holds, and if not, why and what would help. */
export interface RuleExplanation {
  rule: HardRule | SoftRule;
  hard: boolean;
  holds: boolean;
  /** It does not hold, and a better layout exists on the present machines. */
  avoidable: boolean;
  breaches: Breach[];
  /** Machines that might have been of use, by why they are not. */
  obstacles: MachineGroup[];
  remedy: Remedy | null;
  /**
   * The least and the most that a machine has of what the rule counts (primaries, nodes, memory reserved in percent),
   * and the most one would have if the database were placed anew, where that is known. Null where nothing is counted.
   */
  figures: { least: number; most: number; mostAnew: number | null } | null;
  sentences: string[];
}

export interface PlacementExplanation {
  database: string;
  /** Of the spec that was looked at. */
  generation: number;
  shards: number;
  replicas: number;
  /** What each node reserves on its machine, in bytes. */
  reserve: { dataBytes: number; spareBytes: number; processBytes: number; totalBytes: number };
  rules: RuleExplanation[];
  nodes: NodeExplanation[];
}
