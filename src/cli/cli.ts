/** One run of a command: where it points, how it speaks. Results go to stdout, everything else to stderr. */
import { resolve } from 'node:path';
import { ValkeeperError } from '../domain/errors.ts';
import type { Finding } from '../domain/finding.ts';
import { Client } from './client.ts';
import type { Endpoint, Remote } from './endpoint.ts';
import type { AgentCommandOptions, EngineDescription, ServerOptions, UpOptions } from './process-options.ts';
import { Progress } from './progress.ts';

/** What the command line needs from outside: the terminal, and what only `main` can wire together. */
export interface Host {
  stdin: NodeJS.ReadStream;
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
  version: string;
  /** How this program is called: the runtime, its flags and the program's file, absolute. */
  program: readonly string[];
  /** Where data lies when --data-dir does not say it. */
  defaultDataDir: string;
  /** @throws not_running when no server is recorded in the data directory */
  endpoint(dataDir: string): Endpoint;
  /** What the environment names, if it does. */
  remote: Remote | null;
  /** @throws invalid_value, usage, file_unusable */
  remoteEndpoint(remote: Remote): Endpoint;
  /** The engine in use there, or else the one that would be used now. @throws what the search for an engine throws */
  engine(dataDir: string): Promise<EngineDescription>;
  /** Looks at this host, for `doctor`. @throws invalid_value */
  doctor(dataDir: string, server: string | undefined): Promise<Finding[]>;
  processes: ProcessCommands;
}

/** The commands that start, are or stop processes. */
export interface ProcessCommands {
  up(cli: Cli, options: UpOptions): Promise<void>;
  down(cli: Cli, options: { yes: boolean }): Promise<void>;
  demo(cli: Cli, options: { keep: boolean }): Promise<void>;
  /** Resolves when the server has shut down. */
  server(cli: Cli, options: ServerOptions): Promise<void>;
  /** Resolves when the agent has left its nodes or stopped them. */
  agent(cli: Cli, options: AgentCommandOptions): Promise<void>;
}

/** What every command takes. */
export interface GlobalOptions {
  dataDir?: string;
  json?: boolean;
  server?: string;
  ca?: string;
  apiTokenFile?: string;
}

/** What a command runs with. */
export class Cli {
  readonly host: Host;
  readonly dataDir: string;
  /** Stdout carries exactly one JSON document. */
  readonly json: boolean;
  readonly #global: GlobalOptions;
  #client: Client | null = null;

  constructor(host: Host, global: GlobalOptions) {
    this.host = host;
    this.#global = global;
    this.dataDir = resolve(global.dataDir ?? host.defaultDataDir);
    this.json = global.json ?? false;
  }

  /** The API of the server that was named, else that of the data directory. @throws not_running, and as `Host.remoteEndpoint` */
  get client(): Client {
    const remote = this.#remote;
    this.#client ??= new Client(remote ? this.host.remoteEndpoint(remote) : this.host.endpoint(this.dataDir));
    return this.#client;
  }

  /** The server that was named; undefined when none was. */
  get namedServer(): string | undefined {
    return this.#remote?.server;
  }

  get #remote(): Remote | null {
    const { server, ca, apiTokenFile } = this.#global;
    const { remote } = this.host;
    if (server !== undefined) return { ca: remote?.ca, apiTokenFile: remote?.apiTokenFile, ...this.#global, server };
    return (
      remote && {
        ...remote,
        ...(ca === undefined ? {} : { ca }),
        ...(apiTokenFile === undefined ? {} : { apiTokenFile }),
      }
    );
  }

  /** For a command that is about this machine: what the environment names elsewhere is not meant. @throws usage */
  here(): Cli {
    const { server, ca: _, apiTokenFile: __, ...global } = this.#global;
    if (server === undefined) return new Cli({ ...this.host, remote: null }, global);
    throw new ValkeeperError('usage', {
      problem: 'This command is about processes of this machine; --server names another.',
      remedy: 'Leave it out, or run the command there.',
    });
  }

  /** The result: the document with --json, the text otherwise. Called once a run. */
  print(document: unknown, text: () => string): void {
    this.host.stdout.write(`${this.json ? JSON.stringify(document, null, 2) : text()}\n`);
  }

  /** Something worth saying that is not the result. */
  note(text: string): void {
    this.host.stderr.write(`${text}\n`);
  }

  progress(): Progress {
    return new Progress(this.host.stderr);
  }

  /**
   * Goes on only after a yes: of the option, or of a person.
   * @throws confirmation_needed when there is no terminal to ask on, declined when the answer is not yes
   */
  async confirm(question: string, yes: boolean): Promise<void> {
    if (yes) return;
    const { stdin, stderr } = this.host;
    if (!stdin.isTTY || !stderr.isTTY) throw new ValkeeperError('confirmation_needed', { question });
    const { createInterface } = await import('node:readline/promises');
    const prompt = createInterface({ input: stdin, output: stderr });
    const closed = new AbortController();
    prompt.once('close', () => closed.abort());
    const answer = await prompt.question(`${question} [y/N] `, { signal: closed.signal }).catch(() => '');
    prompt.close();
    if (!/^y(es)?$/i.test(answer.trim())) throw new ValkeeperError('declined');
  }
}
