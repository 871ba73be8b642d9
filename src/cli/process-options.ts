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
