/** Connections to nodes: one each, opened when first needed, closed when the node is no longer ours. */
import type { ConnectionOptions } from 'node:tls';
import { ADMIN_USER, type NodeAssignment } from '../domain/database.ts';
import { ValkeeperError } from '../domain/errors.ts';
import type { NodeId } from '../domain/ids.ts';
import { type Credentials, clientOptions } from '../trust/credentials.ts';
import { type NodeCommands, NodeConnection, type NodeConnectionOptions } from './connection.ts';
import type { SessionOptions } from './session.ts';

const CONNECT_TIMEOUT_MS = 400;
/** A node that needs longer for an admin command is not answering, as far as this pass goes. */
const COMMAND_TIMEOUT_MS = 1_000;
const MAX_QUEUED = 256;

/** What a connection must offer here. */
export interface EngineConnection extends NodeCommands {
  /** Ends it for good. */
  close(): void;
}

/** Makes a connection; it connects by itself with the first command. */
export type Connect = (options: NodeConnectionOptions) => EngineConnection;

export class Engines {
  readonly #connections = new Map<NodeId, EngineConnection>();
  readonly #connect: Connect;
  readonly #credentials: (() => Credentials) | null;

  /** @param credentials of this process, as they are now, for nodes that speak TLS; null when it has none */
  constructor(
    credentials: (() => Credentials) | null = null,
    connect: Connect = (options) => new NodeConnection(options),
  ) {
    this.#credentials = credentials;
    this.#connect = connect;
  }

  /** The connection to a node; it connects by itself with the first command. */
  connection(adminPassword: string, node: NodeAssignment): EngineConnection {
    let connection = this.#connections.get(node.id);
    if (!connection) {
      const limits = { commandTimeoutMs: COMMAND_TIMEOUT_MS, maxQueued: MAX_QUEUED };
      connection = this.#connect({ ...this.options(adminPassword, node), ...limits });
      this.#connections.set(node.id, connection);
    }
    return connection;
  }

  /** How a session of its own with a node begins. */
  options(adminPassword: string, node: NodeAssignment): SessionOptions {
    return {
      host: node.host,
      port: node.port,
      username: ADMIN_USER,
      password: adminPassword,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      ...(node.tls ? { tls: () => this.#tlsTo(node) } : {}),
    };
  }

  /** Whoever else has a certificate of the fleet is not this node, and is told no password. */
  #tlsTo({ machine: name }: NodeAssignment): ConnectionOptions {
    if (this.#credentials === null) throw new ValkeeperError('control_without_credentials');
    return clientOptions(this.#credentials(), { kind: 'machine', name });
  }

  /** The nodes are gone: their connections too. */
  drop(nodes: readonly NodeAssignment[]): void {
    for (const { id } of nodes) {
      this.#connections.get(id)?.close();
      this.#connections.delete(id);
    }
  }

  close(): void {
    for (const connection of this.#connections.values()) connection.close();
    this.#connections.clear();
  }
}
