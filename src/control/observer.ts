/**
 * Looks at a database: every node is asked in parallel, each with its own deadline, and what its agent says is laid
 * beside its answer. What did not answer is `unknown`; nothing is guessed.
 */
import type { ArchiveView } from '../domain/archive.ts';
import type { Database, NodeAssignment } from '../domain/database.ts';
import type { NodeId } from '../domain/ids.ts';
import type { SlotMigration } from '../domain/reshard.ts';
import type { DatabaseView, EngineView, MachineView, NodeView, ProcessView } from '../domain/view.ts';
import { statedOf } from '../plan/overridden.ts';
import type { Clock } from '../platform/clock.ts';
import type { NodeReport } from '../protocol/agent-messages.ts';
import { observeNode } from '../valkey/admin.ts';
import { engineView, unreachable } from '../valkey/engine-view.ts';
import type { Engines } from '../valkey/engines.ts';
import { receivedBytesPerSecond, slotMigrations } from '../valkey/slot-migrations.ts';
import type { Agents } from './agents.ts';
import { DownTimes } from './down-times.ts';
import { RecentDelays } from './recent-delays.ts';

export interface ObserverSurroundings {
  agents: Agents;
  engines: Engines;
  clock: Clock;
  /** Every machine of the fleet. */
  machines: () => readonly MachineView[];
}

interface Answer {
  engine: EngineView;
  migrations?: readonly SlotMigration[];
  receivedBytesPerSecond?: number;
}

export class Observer {
  readonly #around: ObserverSurroundings;
  readonly #downTimes = new DownTimes();
  readonly #delays = new RecentDelays();
  /** What is known of the archive of a database, by its uid; null while it has none. */
  archiveOf: (uid: string) => ArchiveView | null = () => null;

  constructor(around: ObserverSurroundings) {
    this.#around = around;
  }

  async observe(database: Database): Promise<DatabaseView> {
    const seen = database.nodes.map(
      async (node): Promise<[NodeId, NodeView]> => [node.id, await this.observeNode(database, node)],
    );
    const nodes = new Map(await Promise.all(seen));
    // Of a node that was replaced its agent's word is all that is of interest.
    for (const { id, machine } of database.retired) {
      this.#downTimes.forget(id);
      this.#delays.forget(id);
      const process = processView(this.#around.agents.report(machine, id));
      nodes.set(id, { process, disk: null, engine: unreachable('it was replaced'), down: null });
    }
    const archive = this.archiveOf(database.uid);
    const view = { at: this.#around.clock.now(), machines: this.#around.machines(), nodes };
    return archive ? { ...view, archive } : view;
  }

  async observeNode(database: Database, node: NodeAssignment): Promise<NodeView> {
    // Where the agent knows that no process runs, whatever answers on the port is not this node.
    const { engine, ...more } = this.#around.agents.isGone(node)
      ? { engine: unreachable('no process') }
      : await this.#ask(database, node);
    const report = this.#around.agents.report(node.machine, node.id);
    const heard = processView(report);
    const isSilent = heard.state === 'unknown' && engine.state === 'unknown';
    const process = isSilent ? this.#stated(database, node) : heard;
    const down = this.#downTimes.note(node.id, { process, engine }, this.#around.clock.now());
    if (typeof report === 'string') return { process, disk: null, engine, down, ...more };
    return {
      process,
      disk: report.disk,
      engine,
      down,
      ...more,
      ...(report.pulse ? { pulse: report.pulse } : {}),
      ...(report.postponed ? { postponed: report.postponed } : {}),
    };
  }

  #stated(database: Database, node: NodeAssignment): ProcessView {
    const { clock, machines } = this.#around;
    return statedOf(database, node, { at: clock.now(), machines: machines() });
  }

  async #ask(database: Database, node: NodeAssignment): Promise<Answer> {
    try {
      const connection = this.#around.engines.connection(database.secrets.adminPassword, node);
      const moves = database.reshard !== null;
      // In this order: a job that ended between the answers is then seen as running, never as over beside what was before.
      const [migrations, seen, received] = await Promise.all([
        moves ? slotMigrations(connection) : null,
        observeNode(connection),
        moves ? receivedBytesPerSecond(connection) : 0,
      ]);
      const engine = engineView(seen, this.#delays.note(node.id, seen.delayedFsyncs, this.#around.clock.now()));
      return migrations === null ? { engine } : { engine, migrations, receivedBytesPerSecond: received };
    } catch (error) {
      return { engine: unreachable(error instanceof Error ? error.message : String(error)) };
    }
  }
}

const processView = (report: NodeReport | 'absent' | 'unknown'): ProcessView =>
  typeof report === 'string' ? { state: report } : report.process;
