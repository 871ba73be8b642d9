/** A node's answers as the planner's words. */
import { aclMarkOf } from '../domain/database.ts';
import type { EngineView, PeerView } from '../domain/view.ts';
import type { NodeObservation } from './admin.ts';
import { type ClusterNodeLine, isMyself } from './cluster-nodes.ts';

/** A node that did not answer, and why. */
export const unreachable = (reason: string): EngineView => ({ state: 'unknown', reason });

/**
 * Everything the node answered. A node that does not know itself counts as not answering.
 * @param delayedFsyncs within the last minute
 */
export function engineView(seen: NodeObservation, delayedFsyncs: number): EngineView {
  const myself = seen.nodes.find(isMyself);
  if (!myself) return unreachable('it does not list itself among its nodes');
  const { replication } = seen;
  return {
    state: 'answering',
    id: seen.id,
    role: myself.role,
    primaryId: myself.primaryId,
    slots: myself.slots,
    configEpoch: myself.configEpoch,
    currentEpoch: seen.currentEpoch,
    clusterOk: seen.clusterOk,
    slotsOk: seen.slotsOk,
    peers: seen.nodes.filter((node) => !isMyself(node)).map(peerView),
    loading: seen.loading,
    offset: replication.offset,
    history: replication.history,
    linkUp: replication.linkUp,
    linkDownSeconds: replication.linkDownSeconds,
    syncInProgress: replication.syncInProgress,
    streamedBytes: replication.streamedBytes,
    replicas: replication.replicas.map(({ host, port, state, offset, lagSeconds }) => ({
      host,
      port,
      online: state === 'online',
      ackedOffset: offset,
      ackAgeSeconds: lagSeconds,
    })),
    keys: seen.keys,
    usedMemoryBytes: seen.usedMemoryBytes,
    countedMemoryBytes: seen.countedMemoryBytes,
    dataBytes: seen.dataBytes,
    failingWrites: seen.failingWrites,
    refusesWrites: seen.refusesWrites,
    delayedFsyncs,
    settings: seen.settings,
    aclMark: aclMarkOf(seen.userNames),
    logComplete: seen.logComplete,
    saving: seen.saving,
  };
}

const peerView = (node: ClusterNodeLine): PeerView => ({
  id: node.id,
  host: node.host,
  port: node.port,
  role: node.role,
  primaryId: node.primaryId,
  slots: node.slots,
  configEpoch: node.configEpoch,
  met: !node.flags.includes('handshake') && !node.flags.includes('noaddr'),
  failed: node.flags.includes('fail'),
  linkUp: node.linkState === 'connected',
});
