/** Databases and views made from nothing, for tests of the pure brain. */
import type { Database } from '../../src/domain/database.ts';
import { type DatabaseSpec, DEFAULT_SPEC } from '../../src/domain/spec.ts';
import { type DatabaseView, type MachineView, type NodeView, WHOLE_FILES } from '../../src/domain/view.ts';
import { forecast } from '../../src/plan/forecast.ts';
import { place } from '../../src/plan/placement.ts';
import { keepsSnapshots, logsEveryWrite } from '../../src/plan/settings.ts';

export const fleet = (count: number, memoryBytes = 8 * 1024 ** 3): MachineView[] =>
  Array.from({ length: count }, (_, index) => ({
    name: `machine-${index + 1}`,
    address: `127.0.0.${11 + index}`,
    zone: 'local',
    tls: false,
    state: 'active',
    connected: true,
    since: 0,
    memoryBytes,
    reservedBytes: 0,
    endpoint: null,
  }));

const nodeIdOf = (index: number): string => (index + 1).toString(16).padStart(2, '0').repeat(20);

/** A database as it is stored the moment it was asked for. Throws when it cannot be placed. */
export function databaseOn(machines: readonly MachineView[], wish: Partial<DatabaseSpec> = {}): Database {
  const spec = { ...DEFAULT_SPEC, ...wish };
  const placement = place(spec, machines);
  if ('refused' in placement) throw new Error(placement.refused);
  return {
    name: 'test',
    uid: 'uid',
    spec,
    generation: 1,
    observedGeneration: 0,
    wantedPrimaries: {},
    overridden: {},
    reshard: null,
    restore: null,
    retired: [],
    createdAt: '2026-01-01T00:00:00.000Z',
    deleting: false,
    secrets: { password: 'p', adminPassword: 'a', users: {} },
    aclMark: 'mark-1',
    nodes: placement.places.map(({ shard, machine, birth }, index) => ({
      id: nodeIdOf(index),
      shard,
      machine,
      host: machines.find(({ name }) => name === machine)!.address,
      port: 7000 + index,
      tls: false,
      birth,
    })),
  };
}

/** Nothing exists yet. */
export const emptyView = (database: Database, machines: readonly MachineView[]): DatabaseView => ({
  at: 0,
  machines,
  nodes: new Map(
    database.nodes.map(({ id }) => [
      id,
      { process: { state: 'absent' }, disk: null, engine: { state: 'unknown', reason: 'refused' }, down: null },
    ]),
  ),
});

/** The database made, everyone in sync, one key in every shard. */
export function readyWorld(machines: readonly MachineView[], wish: Partial<DatabaseSpec> = {}) {
  const fresh = databaseOn(machines, wish);
  const { view } = forecast(fresh, emptyView(fresh, machines));
  const nodes = new Map([...view.nodes].map(([id, node]) => [id, withKeys(node, 1)]));
  return { database: { ...fresh, observedGeneration: 1 }, view: { ...view, nodes } };
}

const withKeys = (node: NodeView, keys: number): NodeView =>
  node.engine.state === 'answering' ? { ...node, engine: { ...node.engine, keys } } : node;

/** The process is gone for certain; its disk remembers what its persistence kept. */
export function killed(view: DatabaseView, id: string): DatabaseView {
  const node = view.nodes.get(id)!;
  if (node.engine.state !== 'answering') return view;
  const { role, primaryId, slots, configEpoch, keys } = node.engine;
  const settings = node.disk?.settings ?? null;
  const nodes = new Map(view.nodes);
  nodes.set(id, {
    process: { state: 'exited', how: 'died', at: 0, detail: 'killed' },
    disk: {
      hasData: (logsEveryWrite(settings) || keepsSnapshots(settings)) && keys > 0,
      dataAt: keys > 0 ? 0 : null,
      claim: { role, primaryId, slots, configEpoch },
      ...WHOLE_FILES,
      settings,
      aclMark: node.disk?.aclMark ?? null,
    },
    engine: { state: 'unknown', reason: 'refused' },
    down: { since: view.at, deaths: 1 },
  });
  return { ...view, nodes: unlinked(nodes, id) };
}

/** Nothing is known of the node: its agent and itself are out of reach. */
export function outOfReach(view: DatabaseView, id: string): DatabaseView {
  const nodes = new Map(view.nodes);
  nodes.set(id, {
    process: { state: 'unknown' },
    disk: null,
    engine: { state: 'unknown', reason: 'timeout' },
    down: null,
  });
  return { ...view, nodes: unlinked(nodes, id) };
}

/** Those who followed the node see their link down. */
function unlinked(nodes: Map<string, NodeView>, gone: string): Map<string, NodeView> {
  for (const [id, node] of nodes) {
    if (node.engine.state === 'answering' && node.engine.primaryId === gone) {
      nodes.set(id, { ...node, engine: { ...node.engine, linkUp: false } });
    }
  }
  return nodes;
}
