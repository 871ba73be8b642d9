/** The answers to INFO and CLUSTER INFO: `name:value` lines. */

/** Every `name:value` line of an INFO answer. */
export function parseInfo(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon > 0 && !line.startsWith('#')) fields.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return fields;
}

/** A replica as its primary lists it (`slave0:ip=...,port=...,state=...,offset=...,lag=...`). */
export interface InfoReplica {
  host: string;
  port: number;
  state: string;
  /** Replication offset it has acknowledged, in bytes. */
  offset: number;
  /** Seconds since it last acknowledged. */
  lagSeconds: number;
}

export interface ReplicationInfo {
  role: 'primary' | 'replica';
  /** Bytes written (primary) or applied (replica). */
  offset: number;
  linkUp: boolean;
  syncInProgress: boolean;
  replicas: InfoReplica[];
}

export function replicationInfo(fields: ReadonlyMap<string, string>): ReplicationInfo {
  const role = fields.get('role') === 'slave' ? 'replica' : 'primary';
  return {
    role,
    offset: Number(fields.get(role === 'replica' ? 'slave_repl_offset' : 'master_repl_offset') ?? 0),
    linkUp: fields.get('master_link_status') === 'up',
    syncInProgress: fields.get('master_sync_in_progress') === '1',
    replicas: [...fields].filter(([name]) => /^slave\d+$/.test(name)).map(([, value]) => parseReplica(value)),
  };
}

function parseReplica(text: string): InfoReplica {
  const parts = new Map(text.split(',').map((part) => part.split('=', 2) as [string, string]));
  return {
    host: parts.get('ip') ?? '',
    port: Number(parts.get('port')),
    state: parts.get('state') ?? '',
    offset: Number(parts.get('offset') ?? 0),
    lagSeconds: Number(parts.get('lag') ?? Number.POSITIVE_INFINITY),
  };
}

/** Keys of all databases (`db0:keys=12,expires=0,...`). */
export const keyCount = (fields: ReadonlyMap<string, string>): number =>
  [...fields]
    .filter(([name]) => /^db\d+$/.test(name))
    .reduce((sum, [, value]) => sum + Number(/^keys=(\d+)/.exec(value)?.[1] ?? 0), 0);
