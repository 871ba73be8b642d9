/** What the commands that start processes take and tell. */

/** The engine, for people. */
export interface EngineDescription {
  version: string;
  serverPath: string;
  /** Null when there is none beside the engine or on PATH. */
  cliPath: string | null;
  licence: string;
  /** How it was found or made. */
  origin: string;
}

/** Options of `up`. */
export interface UpOptions {
  machines?: number;
  addressBase?: string;
  apiPort?: number;
  /** False: the database `main` is made without a password. */
  auth: boolean;
  foreground?: boolean;
  timeoutMs: number;
}

/** Which store a server works with; without `store` the one in its data directory. */
export interface StoreOptions {
  /** `etcd://HOST:PORT[,HOST:PORT...]/PREFIX`, or `etcds://` for TLS. */
  store?: string;
  /** Files in PEM. */
  storeCa?: string;
  storeCert?: string;
  storeKey?: string;
  /** A file with one line NAME:PASSWORD. */
  storeUserFile?: string;
}

/** Options of `server`. */
export interface ServerOptions extends StoreOptions {
  apiPort?: number;
  /** `ADDRESS[:PORT]` on which other machines are served, over TLS; without it none are. */
  listen?: string;
  /** URL at which the other servers and agents reach this one. */
  advertise?: string;
  /** Another server leads so long after the death of one, in ms. */
  leaseMs?: number;
  /** A file with the key of backups. */
  backupKeyFile?: string;
}

/** Options of `agent`. */
export interface AgentCommandOptions {
  /** A local machine, as in fleet.json; without it, the machine that has joined from this data directory. */
  machine?: string;
  /** Servers at which to join. */
  join?: readonly string[];
  token?: string;
  name?: string;
  address?: string;
  zone?: string;
  label?: Readonly<Record<string, string>>;
  /** Bytes. */
  memory?: number;
  ports?: readonly [number, number];
  neighbourPort?: number;
  /** It votes, and takes no nodes. */
  witness?: boolean;
}
