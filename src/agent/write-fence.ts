/**
 * Stops the writes of this machine's primaries, and lets them go on: by CLIENT PAUSE, so that clients wait and are told
 * nothing wrong. A primary that does not obey in time is ended; so is one whose place another has taken meanwhile.
 */
import type { NodeId } from '../domain/ids.ts';
import type { GuardedDatabase } from '../domain/roster.ts';
import { answering } from '../domain/view.ts';
import type { Logger } from '../platform/log.ts';
import { STOP_MS } from '../quorum/times.ts';
import { pauseWrites, resumeWrites, role } from '../valkey/admin.ts';
import type { NodeCommands } from '../valkey/connection.ts';
import type { OwnNode } from './own-node.ts';
import { fellowsOf, lookAtShard, type Seer } from './shard-view.ts';
import { within } from './within.ts';

/** Half of what it may take: the other half is for ending the process. */
const OBEY_MS = STOP_MS / 2;
/** Longer than any cut that nobody mends; the pause is asked for again as long as there is no lease. */
const PAUSE_MS = 3_600_000;

const NONE: ReadonlySet<NodeId> = new Set();

export interface FenceSurroundings extends Seer {
  databases: () => readonly GuardedDatabase[];
  log: Logger;
}

interface Place {
  node: OwnNode;
  database: GuardedDatabase;
  shard: string;
}

export class WriteFence {
  readonly #around: FenceSurroundings;
  readonly #stopped = new Set<NodeId>();
  /** Before all have once been let go on, any may have been stopped by the agent that was here before. */
  #knowsAll = false;

  constructor(around: FenceSurroundings) {
    this.#around = around;
  }

  /** Resolves when every primary here that another machine could take over from writes no more. */
  async stop(): Promise<void> {
    await Promise.all(
      this.#places()
        .filter(hasCopyElsewhere)
        .map((place) => this.#stopOne(place)),
    );
  }

  /**
   * Lets those go on whose place nobody has taken. @param claimed databases that somebody wanted to take over
   * @returns whether none has to wait any longer
   */
  async goOn(claimed: ReadonlySet<string>): Promise<boolean> {
    const places = this.#places().filter(({ node }) => !this.#knowsAll || this.#stopped.has(node.id));
    const gone = await Promise.all(places.map((place) => this.#goOnOne(place, claimed.has(place.database.uid))));
    const allGo = gone.every(Boolean);
    this.#knowsAll ||= allGo;
    return allGo;
  }

  /** Nodes that run. */
  #places(): Place[] {
    const { nodes, databases } = this.#around;
    return databases().flatMap((database) =>
      database.nodes.flatMap(({ id, shard }) => {
        const node = nodes.get(id);
        return node && node.pid !== null ? [{ node, database, shard }] : [];
      }),
    );
  }

  async #stopOne({ node, database }: Place): Promise<void> {
    const { clock, engines, log } = this.#around;
    const assignment = database.nodes.find(({ id }) => id === node.id)!;
    const engine = engines.connection(database.adminPassword, assignment);
    const stopping = this.#stopWrites(node.id, engine).catch(() => false);
    const obeyed = await within(clock, OBEY_MS, stopping, false);
    // One that hangs as a replica takes no writes: ended, it would take its copy with it.
    if (obeyed || node.pid === null || node.claim?.role === 'replica') return;
    log.error({ node: node.id }, 'A node did not stop its writes in time and is ended.');
    await node.end('it did not stop its writes when the lease of its machine had run out');
  }

  /** @returns that it takes no writes now */
  async #stopWrites(id: NodeId, engine: NodeCommands): Promise<boolean> {
    if ((await role(engine)).role !== 'primary') return true;
    await pauseWrites(engine, PAUSE_MS);
    this.#stopped.add(id);
    return true;
  }

  async #goOnOne({ node, database, shard }: Place, isClaimed: boolean): Promise<boolean> {
    const { engines, log } = this.#around;
    const sight = await lookAtShard(this.#around, database, shard, NONE);
    const { view } = sight;
    const others = fellowsOf(sight, node.id);
    const own = answering(view.nodes.get(node.id));
    if (own && own.id !== node.id) return true; // another node in its place: it is left as it is
    // One that takes no writes has only to be let go on, for when it is a primary again.
    const takesNone = own !== null && (own.role === 'replica' || own.slots.length === 0);
    const successor = others.find(([, other]) => {
      const engine = answering(other);
      return engine?.role === 'primary' && engine.slots.length > 0;
    });
    if (successor && !takesNone) {
      log.warn({ node: node.id, successor: successor[0].id }, 'Another took the place of a node: it is ended.');
      this.#stopped.delete(node.id);
      await node.end('another took its place while its machine could not be reached');
      return true;
    }
    // Nobody claimed it: with a majority for the lease there is none for a claim. Else all must say that they follow it.
    if (isClaimed && !takesNone && others.some(([, other]) => answering(other) === null)) return false;
    const assignment = database.nodes.find(({ id }) => id === node.id)!;
    await resumeWrites(engines.connection(database.adminPassword, assignment));
    this.#stopped.delete(node.id);
    return true;
  }
}

/** Without one nobody can take over. It may have had one when it was stopped. */
function hasCopyElsewhere({ node, database, shard }: Place): boolean {
  const { machine } = database.nodes.find(({ id }) => id === node.id)!;
  return database.nodes.some((other) => other.shard === shard && other.machine !== machine);
}
