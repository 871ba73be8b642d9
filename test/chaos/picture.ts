/** The fleet as faults see it: who has copies of what, as last observed. */

export interface Copy {
  database: string;
  shard: string;
  nodeId: string;
  machine: string;
  role: 'primary' | 'replica';
}

export interface Picture {
  machines: readonly string[];
  copies: readonly Copy[];
  /** By database: so many copies of a shard may be hit at a time. */
  limits: ReadonlyMap<string, number>;
  /** A machine whose processes see a clock that can be moved. */
  wobbly: string;
}

/** A shard's name across databases. */
export const shardName = ({ database, shard }: Pick<Copy, 'database' | 'shard'>): string => `${database}/${shard}`;
