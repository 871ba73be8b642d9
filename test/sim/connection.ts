/**
 * The connection of the control plane, or of an agent, to a modelled node. Like the real one it pipelines, connects by itself, and is lost
 * with the first answer that does not come in time; what had been sent may still take effect then.
 */

import type { Clock } from '../../src/platform/clock.ts';
import type { CommandArgument } from '../../src/resp/encode.ts';
import { type Reply, ReplyError } from '../../src/resp/reply.ts';
import { EngineReplyError, EngineUnreachable, type NodeConnectionOptions } from '../../src/valkey/connection.ts';
import type { EngineConnection } from '../../src/valkey/engines.ts';
import { answer } from './engine/commands.ts';
import type { Engine } from './engine/engine.ts';
import { type Network, nodesOf } from './network.ts';

export interface ConnectionSurroundings {
  /** Of the process that asks; stands still once that is dead. */
  clock: Clock;
  /** Where that is. */
  place: string;
  network: Network;
  engineAt(host: string, port: number): Engine | null;
  machineAt(host: string): string | null;
  /** The machine has power, and says that nothing listens. */
  hasPower(host: string): boolean;
  /** The process that asks lives: it can be told things. */
  isAlive(): boolean;
  woke(): void;
}

interface Batch {
  commands: readonly (readonly CommandArgument[])[];
  resolve: (replies: Reply[]) => void;
  reject: (why: EngineUnreachable) => void;
  endDeadline: () => void;
}

/** One connection from its beginning to its end, with what the node has not answered yet. */
class Session {
  engine: Engine | null = null;
  readonly unanswered: Batch[] = [];
  isBusy = false;
}

export class ModelConnection implements EngineConnection {
  readonly #options: NodeConnectionOptions;
  readonly #around: ConnectionSurroundings;
  #session: Session | null = null;
  #waiting: Batch[] = [];
  #closed = false;

  constructor(options: NodeConnectionOptions, around: ConnectionSurroundings) {
    this.#options = options;
    this.#around = around;
  }

  get commandTimeoutMs(): number {
    return this.#options.commandTimeoutMs;
  }

  async command(...args: CommandArgument[]): Promise<Reply> {
    const [reply] = await this.pipeline([args]);
    if (reply instanceof ReplyError) throw new EngineReplyError(String(args[0]), reply);
    return reply!;
  }

  pipeline(commands: readonly (readonly CommandArgument[])[]): Promise<Reply[]> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(this.#unreachable('closed', 'closed by us'));
        return;
      }
      const batch: Batch = { commands, resolve, reject, endDeadline: () => {} };
      this.#waiting.push(batch);
      this.#session ??= this.#connect();
      if (this.#session.engine) this.#send(this.#session, batch);
    });
  }

  close(): void {
    this.#closed = true;
    this.#lost(this.#session, 'closed', 'closed by us');
  }

  #unreachable(reason: EngineUnreachable['reason'], detail: string): EngineUnreachable {
    return new EngineUnreachable(reason, `${this.#options.host}:${this.#options.port}: ${detail}`);
  }

  #connect(): Session {
    const { host, port, connectTimeoutMs } = this.#options;
    const { clock, place, network, engineAt, machineAt, hasPower } = this.#around;
    const session = new Session();
    const endDeadline = clock.timer(connectTimeoutMs, () => {
      this.#lost(session, 'timeout', `no connection within ${connectTimeoutMs} ms`);
    });
    const there = nodesOf(machineAt(host)!);
    network.send(place, there, () => {
      const engine = engineAt(host, port);
      const refuse = (): void => {
        endDeadline();
        this.#lost(session, 'refused', 'nothing listens there');
      };
      if (!engine) {
        if (hasPower(host)) network.send(there, place, refuse);
        return;
      }
      const lost = (): void => network.stream(there, place, () => this.#lost(session, 'closed', 'the node closed it'));
      engine.clients.add(lost);
      engine.receive(() =>
        network.send(there, place, () => {
          if (this.#session !== session || !this.#around.isAlive()) return;
          endDeadline();
          session.engine = engine;
          for (const batch of this.#waiting) this.#send(session, batch);
        }),
      );
    });
    return session;
  }

  #send(session: Session, batch: Batch): void {
    const { clock, place, network, machineAt } = this.#around;
    const { commandTimeoutMs, host } = this.#options;
    const engine = session.engine!;
    batch.endDeadline = clock.timer(commandTimeoutMs, () => {
      this.#lost(session, 'timeout', `no answer within ${commandTimeoutMs} ms`);
    });
    network.stream(place, nodesOf(machineAt(host)!), () =>
      engine.receive(() => {
        session.unanswered.push(batch);
        if (!session.isBusy) this.#serve(session, engine);
      }),
    );
  }

  /** The node's side: one batch after the other. */
  #serve(session: Session, engine: Engine): void {
    const batch = session.unanswered.shift();
    session.isBusy = batch !== undefined;
    if (!batch) return;
    answer(engine, batch.commands, (replies) => {
      const { place, network, machineAt } = this.#around;
      network.stream(nodesOf(machineAt(this.#options.host)!), place, () => this.#answered(session, batch, replies));
      this.#serve(session, engine);
    });
  }

  #answered(session: Session, batch: Batch, replies: Reply[]): void {
    if (this.#session !== session || !this.#around.isAlive()) return;
    batch.endDeadline();
    this.#waiting = this.#waiting.filter((other) => other !== batch);
    this.#around.woke();
    batch.resolve(replies);
  }

  #lost(session: Session | null, reason: EngineUnreachable['reason'], detail: string): void {
    if (this.#session !== session || !this.#around.isAlive()) return;
    this.#session = null;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#around.woke();
    for (const batch of waiting) {
      batch.endDeadline();
      batch.reject(this.#unreachable(reason, detail));
    }
  }
}
