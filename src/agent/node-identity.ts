/** Who a node is when its process starts: as its nodes.conf says, as the copy of it says, or fenced. */
import { join } from 'node:path';
import { ValkeeperError } from '../domain/errors.ts';
import type { NodeId } from '../domain/ids.ts';
import type { Leader } from '../domain/start-as.ts';
import { writeFileAtomic } from '../platform/files.ts';
import type { Logger } from '../platform/log.ts';
import { fencedNodesConf, type Place, yieldedNodesConf } from './fence.ts';
import { isForeign, keepDamaged, keepNodesConf, mendNodesConf, NODES_CONF, ownNodesConf } from './nodes-conf-copy.ts';

/**
 * It comes back as a replica of this primary, whatever its nodes.conf is like.
 * @returns whether that was of another node. @throws file_unusable
 */
export async function fence(folder: string, self: Place, primary: Leader): Promise<{ wasForeign: boolean }> {
  const own = ownNodesConf(folder, self.id);
  const wasForeign = isForeign(folder, self.id);
  const text = fencedNodesConf(own?.text ?? '', self, primary);
  if (!own || own.isCopy) keepDamaged(folder);
  await writeFileAtomic(join(folder, NODES_CONF), text);
  return { wasForeign };
}

/**
 * It comes back as itself, without the slots of `yields`. Without its own nodes.conf the engine would make up a new
 * identity, and be a stranger to all others. @throws node_identity_lost, file_unusable
 */
export async function requireIdentity(
  folder: string,
  id: NodeId,
  log: Logger,
  yields: readonly Leader[] = [],
): Promise<void> {
  const now = await mendNodesConf(folder, id);
  if (now === 'lost') throw new ValkeeperError('node_identity_lost', { node: id, path: join(folder, NODES_CONF) });
  if (yields.length > 0) {
    const text = yieldedNodesConf(ownNodesConf(folder, id)!.text, id, yields);
    await writeFileAtomic(join(folder, NODES_CONF), text);
  }
  if (now === 'restored') log.warn({ node: id }, 'The nodes.conf of a node was damaged: restored it from the copy.');
}

/** Nothing depends on the latest copy: what fails is logged, and tried again. */
export async function copyIdentity(folder: string, id: NodeId, log: Logger): Promise<void> {
  await keepNodesConf(folder, id).catch((error: unknown) => {
    log.error({ node: id, err: error }, 'The nodes.conf of a node could not be copied.');
  });
}
