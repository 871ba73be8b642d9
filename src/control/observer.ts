/**
 * Looks at a database: every node is asked in parallel, each with its own deadline, and what its agent says is laid
 * beside its answer. What did not answer is `unknown`; nothing is guessed.
 */
import type { Database, NodeAssignment } from '../domain/database.ts';
import type { NodeId } from '../domain/ids.ts';
import type { DatabaseView, EngineView, NodeView, ProcessView } from '../domain/view.ts';
import type { Clock } from '../platform/clock.ts';
import type { NodeReport } from '../protocol/agent-messages.ts';
import { observeNode } from '../valkey/admin.ts';
import type { Agents } from './agents.ts';
import { engineView, unreachable } from './engine-view.ts';
import type { Engines } from './engines.ts';
import { fleetView } from './fleet-view.ts';

export class Observer {
  readonly #agents: Agents;
  readonly #engines: Engines;
  readonly #clock: Clock;
  readonly #databases: () => Database[];

  constructor(agents: Agents, engines: Engines, clock: Clock, databases: () => Database[]) {
    this.#agents = agents;
    this.#engines = engines;
    this.#clock = clock;
    this.#databases = databases;
  }

  async observe(database: Database): Promise<DatabaseView> {
    const seen = database.nodes.map(
      async (node): Promise<[NodeId, NodeView]> => [node.id, await this.observeNode(database, node)],
    );
    const nodes = new Map(await Promise.all(seen));
    return { at: this.#clock.now(), machines: fleetView(this.#agents.machines(), this.#databases()), nodes };
  }

  async observeNode(database: Database, node: NodeAssignment): Promise<NodeView> {
    // Where the agent knows that no process runs, whatever answers on the port is not this node.
    const engine = this.#agents.isGone(node) ? unreachable('no process') : await this.#ask(database, node);
    const report = this.#agents.report(node.machine, node.id);
    return { process: processView(report), disk: typeof report === 'string' ? null : report.disk, engine };
  }

  async #ask(database: Database, node: NodeAssignment): Promise<EngineView> {
    try {
      return engineView(await observeNode(this.#engines.connection(database, node)));
    } catch (error) {
      return unreachable(error instanceof Error ? error.message : String(error));
    }
  }
}

const processView = (report: NodeReport | 'absent' | 'unknown'): ProcessView =>
  typeof report === 'string' ? { state: report } : report.process;
