/** The client processes of a run: some on a host of their own, one on each of some machines, which knows only that machine's endpoint. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Host } from '../support/hosts.ts';
import type { ClientOptions } from './client-options.ts';
import { type Operation, readOperations } from './history.ts';

const PROGRAM = join(import.meta.dirname, 'client-process.ts');
const PREFIX = 'history-';
const WORKERS = 3;
const PAUSE_MS = 50;
/** The endpoint itself gives up after 10 s: some clients hear it say so, others are gone by then. */
const PATIENT_MS = 15_000;
const IMPATIENT_MS = 4_000;
const FINISH_MS = 2 * PATIENT_MS;

export interface ClientDatabase {
  name: string;
  password: string | null;
  endpoints: readonly { machine: string; host: string; port: number }[];
}

export class Clients {
  readonly #seed: number;
  readonly #databases: readonly ClientDatabase[];
  #running: ChildProcess[] = [];
  #started = 0;
  #round = 0;
  #dir = '';

  constructor(seed: number, databases: readonly ClientDatabase[]) {
    this.#seed = seed;
    this.#databases = databases;
  }

  /** What is started from now on belongs to this round, its histories to this folder. */
  begin(round: number, dir: string): void {
    this.#round = round;
    this.#dir = dir;
  }

  /** @param machine its name, where the host is a machine */
  async start(host: Host, machine: string | null): Promise<void> {
    this.#started += 1;
    const client = `${machine ?? 'away'}x${this.#started}`;
    const options: ClientOptions = {
      ...{ client, round: this.#round, seed: this.#seed + this.#started, workers: WORKERS, pauseMs: PAUSE_MS },
      file: join(this.#dir, `${PREFIX}${client}.jsonl`),
      timeoutMs: machine === null ? IMPATIENT_MS : PATIENT_MS,
      databases: this.#databases.map(({ name, password, endpoints }) => ({
        ...{ name, password },
        endpoints: endpoints.filter((one) => machine === null || one.machine === machine),
      })),
    };
    const [program, ...args] = host.words([process.execPath, PROGRAM, JSON.stringify(options)]);
    const child = spawn(program!, args, { cwd: import.meta.dirname, stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin!.on('error', () => {}); // its machine may be dark
    this.#running.push(child);
    await Promise.race([once(child.stdout!, 'data'), once(child, 'exit')]);
  }

  /** Lets all finish what they have begun. @throws Error when one does not */
  async stop(): Promise<void> {
    const running = this.#running.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null);
    this.#running = [];
    await Promise.all(
      running.map(async (child) => {
        const over = once(child, 'exit', { signal: AbortSignal.timeout(FINISH_MS) });
        child.stdin!.end('stop\n');
        await over;
      }),
    );
  }

  kill(): void {
    for (const child of this.#running) child.kill('SIGKILL');
  }

  /** Everything that was asked for in this round. */
  history(): Operation[] {
    const files = readdirSync(this.#dir).filter((file) => file.startsWith(PREFIX));
    return readOperations(files.map((file) => readFileSync(join(this.#dir, file), 'utf8')));
  }
}
