/** What a node says of its replication: `INFO replication`. */
import type { Reply } from '../resp/reply.ts';

export interface Replication {
  isPrimary: boolean;
  /** Of its history; and of the one that this continues, before the primary changed. Zeros: none. */
  replid: string;
  formerReplid: string;
  /** Bytes of its history. */
  offset: number;
  /** Bytes that each replica has which is in step. */
  acknowledged: number[];
  /** Whom a replica copies, while it does so without a gap; null otherwise. */
  copies: { host: string; port: number } | null;
}

/** Null for anything else than INFO's answer. */
export function parseReplication(reply: Reply): Replication | null {
  if (!Buffer.isBuffer(reply)) return null;
  const text = reply.toString();
  const field = (name: string): string => new RegExp(`^${name}:([^\r\n]*)`, 'm').exec(text)?.[1] ?? '';
  const isLinked =
    field('role') === 'slave' && field('master_link_status') === 'up' && field('master_sync_in_progress') === '0';
  return {
    isPrimary: field('role') === 'master',
    replid: field('master_replid'),
    formerReplid: field('master_replid2'),
    offset: Number(field('master_repl_offset')),
    acknowledged: [...text.matchAll(/^slave\d+:.*state=online,offset=(\d+)/gm)].map(([, offset]) => Number(offset)),
    copies: isLinked ? { host: field('master_host'), port: Number(field('master_port')) } : null,
  };
}
