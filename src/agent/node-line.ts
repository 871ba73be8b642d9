/** How an agent reaches a node of its machine: as the user `valkeeper`, with TLS where the node speaks it. */
import { ADMIN_USER } from '../domain/database.ts';
import { ValkeeperError } from '../domain/errors.ts';
import type { NodeConfig } from '../protocol/agent-messages.ts';
import type { MachineCredentials } from '../trust/credential-files.ts';
import { clientOptions } from '../trust/credentials.ts';
import { NodeConnection } from '../valkey/connection.ts';

const CONNECT_TIMEOUT_MS = 1_000;
const COMMAND_TIMEOUT_MS = 1_000;
const MOST_QUEUED = 8;

type Target = Pick<NodeConfig, 'id' | 'database' | 'port' | 'tls' | 'adminPassword'>;

/** Of the machine. */
interface Ground {
  machine: string;
  address: string;
  credentials: MachineCredentials | null;
}

export interface LineWish {
  /** Told once, when it is lost; see NodeConnection. */
  onLost?: () => void;
  /** One second unless told otherwise. */
  commandTimeoutMs?: number;
}

/** What the node shows and believes; null: it speaks no TLS. @throws credentials_missing when it does and there are none */
export function credentialsFor({ id, database, tls }: Target, { credentials, machine }: Ground) {
  if (!tls) return null;
  if (credentials === null) throw new ValkeeperError('credentials_missing', { node: id, database, machine });
  return credentials;
}

/** A connection, not open yet. @throws credentials_missing */
export function connectTo(target: Target, ground: Ground, wish: LineWish): NodeConnection {
  const credentials = credentialsFor(target, ground);
  const { address: host, machine: name } = ground;
  return new NodeConnection({
    host,
    port: target.port,
    ...(credentials ? { tls: () => clientOptions(credentials.current, { kind: 'machine', name }) } : {}),
    username: ADMIN_USER,
    password: target.adminPassword,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    commandTimeoutMs: COMMAND_TIMEOUT_MS,
    maxQueued: MOST_QUEUED,
    ...wish,
  });
}
