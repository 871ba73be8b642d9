/** The answers to INFO and CLUSTER INFO: `name:value` lines. What is missing is an error, never a zero. */

export type InfoFields = ReadonlyMap<string, string>;

/** Every `name:value` line of an INFO answer; no name occurs in two sections. */
export function parseInfo(text: string): InfoFields {
  const fields = new Map<string, string>();
  for (let from = 0; from < text.length; ) {
    const end = text.indexOf('\r\n', from);
    const to = end < 0 ? text.length : end;
    const colon = text.indexOf(':', from);
    if (colon > from && colon < to && text[from] !== '#')
      fields.set(text.slice(from, colon), text.slice(colon + 1, to));
    from = to + 2;
  }
  return fields;
}

/** A field's text. @throws SyntaxError when there is none */
export function textField(fields: InfoFields, name: string): string {
  const value = fields.get(name);
  if (value === undefined) throw new SyntaxError(`the engine's answer lacks ${name}`);
  return value;
}

/** A field's number, an integer. @throws SyntaxError when there is none */
export function numberField(fields: InfoFields, name: string): number {
  const text = textField(fields, name);
  const value = Number(text);
  if (text === '' || !Number.isSafeInteger(value)) {
    throw new SyntaxError(`in the engine's answer ${name} is no integer: ${JSON.stringify(text)}`);
  }
  return value;
}

/** A replica as its primary lists it (`slave0:ip=...,port=...,state=...,offset=...,lag=...`). */
export interface InfoReplica {
  host: string;
  port: number;
  /** `wait_bgsave`, `send_bulk`, `bg_transfer` or `online`; the last does not yet mean that it has every write. */
  state: string;
  /** Replication offset it has acknowledged, in bytes. */
  offset: number;
  /** Seconds since it last acknowledged. */
  lagSeconds: number;
}

export interface ReplicationInfo {
  role: 'primary' | 'replica';
  /** Bytes of history written (primary) or applied (replica). */
  offset: number;
  /** Replicas only: the link to the primary is up. */
  linkUp: boolean;
  /** Replicas only: how long the link has been down; 0 while it is up, null when it never was. */
  linkDownSeconds: number | null;
  /** The id of the history that offsets count in. */
  history: string;
  /** Replicas only: it reads a full copy. */
  syncInProgress: boolean;
  /**
   * Replicas only: bytes of the primary's stream that came since the last full copy (`repl_backlog_histlen`: the copy
   * empties the backlog, the stream fills it).
   */
  streamedBytes: number;
  /** Primaries only. */
  replicas: InfoReplica[];
}

/** What the section `replication` says. @throws SyntaxError */
export function replicationInfo(fields: InfoFields): ReplicationInfo {
  const history = textField(fields, 'master_replid');
  if (textField(fields, 'role') === 'slave') {
    const linkUp = textField(fields, 'master_link_status') === 'up';
    const downSeconds = linkUp ? 0 : numberField(fields, 'master_link_down_since_seconds');
    return {
      role: 'replica',
      history,
      offset: numberField(fields, 'slave_repl_offset'),
      linkUp,
      linkDownSeconds: downSeconds < 0 ? null : downSeconds,
      syncInProgress: numberField(fields, 'master_sync_in_progress') === 1,
      streamedBytes: numberField(fields, 'repl_backlog_histlen'),
      replicas: [],
    };
  }
  return {
    role: 'primary',
    history,
    offset: numberField(fields, 'master_repl_offset'),
    linkUp: false,
    linkDownSeconds: null,
    syncInProgress: false,
    streamedBytes: 0,
    replicas: numbered(fields, 'slave').map(parseReplica),
  };
}

function parseReplica(text: string): InfoReplica {
  const parts = new Map(text.split(',').map((part) => part.split('=', 2) as [string, string]));
  return {
    host: textField(parts, 'ip'),
    port: numberField(parts, 'port'),
    state: textField(parts, 'state'),
    offset: numberField(parts, 'offset'),
    lagSeconds: numberField(parts, 'lag'),
  };
}

/** Keys of all databases (`db0:keys=12,expires=0,...`); an empty database is not listed. */
export const keyCount = (fields: InfoFields): number =>
  numbered(fields, 'db').reduce((sum, value) => sum + Number(/^keys=(\d+)/.exec(value)?.[1] ?? 0), 0);

/** The values of the fields `<prefix>0`, `<prefix>1`, and so on. */
function numbered(fields: InfoFields, prefix: string): string[] {
  const values: string[] = [];
  for (const [name, value] of fields) {
    if (name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length))) values.push(value);
  }
  return values;
}
