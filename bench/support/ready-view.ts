/** What a look shows of a database that is made and well, without making it step by step, which takes long for large ones. */
import type { Database } from '../../src/domain/database.ts';
import {
  type AnsweringEngine,
  type DatabaseView,
  type MachineView,
  type NodeView,
  type PeerView,
  WHOLE_FILES,
} from '../../src/domain/view.ts';
import { logsEveryWrite, wantedSettings } from '../../src/plan/settings.ts';

const OFFSET = 1_000;
const EPOCH = 1_000;
const SLOTS = 16_384;

/** Every node answers, knows every other, and has what it is to have; every replica is in sync. */
export function readyView(database: Database, machines: readonly MachineView[]): DatabaseView {
  const primaries = new Map(
    database.nodes.filter(({ birth }) => birth.role === 'primary').map((one) => [one.shard, one]),
  );
  const order = new Map([...primaries.keys()].map((shard, index) => [shard, index + 1]));
  const peers = database.nodes.map((node): PeerView => {
    const { id, host, port, shard, birth } = node;
    const isPrimary = birth.role === 'primary';
    return {
      ...{ id, host, port, role: birth.role, primaryId: isPrimary ? null : primaries.get(shard)!.id },
      ...{
        slots: isPrimary ? birth.slots : [],
        configEpoch: order.get(shard)!,
        met: true,
        failed: false,
        linkUp: true,
      },
    };
  });
  const settings = wantedSettings(database.spec);
  const nodes = database.nodes.map((node, index): [string, NodeView] => {
    const { role, primaryId, slots, configEpoch } = peers[index]!;
    const followers =
      role === 'primary' ? database.nodes.filter((one) => one.shard === node.shard && one !== node) : [];
    const engine: AnsweringEngine = {
      ...{ state: 'answering', id: node.id, role, primaryId, slots, configEpoch, currentEpoch: EPOCH },
      ...{ clusterOk: true, slotsOk: SLOTS, peers: peers.filter((_, other) => other !== index) },
      ...{
        loading: false,
        offset: OFFSET,
        linkUp: role === 'replica',
        linkDownSeconds: 0,
        history: '',
        syncInProgress: false,
        streamedBytes: OFFSET,
      },
      replicas: followers.map(({ host, port }) => ({
        host,
        port,
        online: true,
        ackedOffset: OFFSET,
        ackAgeSeconds: 0,
      })),
      ...{
        keys: 1,
        usedMemoryBytes: 1_000_000,
        countedMemoryBytes: 1_000_000,
        dataBytes: 1_000,
        settings,
        aclMark: database.aclMark,
      },
      ...{
        logComplete: logsEveryWrite(settings),
        saving: false,
        failingWrites: [],
        refusesWrites: false,
        delayedFsyncs: 0,
      },
    };
    const claim = { role, primaryId, slots, configEpoch };
    const disk = { hasData: true, dataAt: 0, claim, ...WHOLE_FILES, settings, aclMark: database.aclMark };
    return [node.id, { process: { state: 'running', pid: index + 2 }, disk, engine, down: null }];
  });
  return { at: 0, machines, nodes: new Map(nodes) };
}
