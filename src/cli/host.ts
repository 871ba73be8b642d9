/** What the command line needs from outside: the terminal, and what only `main` can wire together. */
import type { Cli } from './cli.ts';
import type { Endpoint } from './client.ts';

export interface Host {
  stdin: NodeJS.ReadStream;
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
  version: string;
  /** Where data lies when --data-dir does not say it. */
  defaultDataDir: string;
  /** @throws not_running when no server is recorded in the data directory */
  endpoint(dataDir: string): Endpoint;
  /** The engine as it would be used now. @throws what the search for an engine throws */
  engine(): Promise<EngineDescription>;
  processes: ProcessCommands;
}

export interface EngineDescription {
  version: string;
  serverPath: string;
  /** Null when there is none beside the engine or on PATH. */
  cliPath: string | null;
  licence: string;
  /** How it was found or made. */
  origin: string;
}

export interface UpOptions {
  machines?: number;
  addressBase?: string;
  apiPort?: number;
  /** False: the database `main` is made without a password. */
  auth: boolean;
  foreground?: boolean;
  timeoutMs: number;
}

/** The commands that start, are or stop processes. */
export interface ProcessCommands {
  up(cli: Cli, options: UpOptions): Promise<void>;
  down(cli: Cli, options: { yes: boolean }): Promise<void>;
  /** Resolves when the server has shut down. */
  server(cli: Cli, options: { apiPort?: number }): Promise<void>;
  /** Resolves when the agent has left its nodes or stopped them. */
  agent(cli: Cli, options: { machine: string }): Promise<void>;
}
