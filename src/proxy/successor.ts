/**
 * Who has what a former primary wrote. WAIT that was under way when a primary became a replica is answered by nobody (the
 * engine lets it run out), though in a planned change nothing is lost: the successor had everything before it took over.
 *
 * That this was so, the former primary shows afterwards. It has become a replica without a full copy only if the successor
 * found that its history has everything the former one had, to the last byte; and then it still names the history in
 * which it wrote as the one it continues. After a full copy it does not.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Home } from './home.ts';
import { askOn } from './own-connection.ts';
import { parseReplication } from './replication-info.ts';

const PAUSE_MS = 10;

/**
 * The index of the primary that has everything which this node wrote in the history `replid`; null when that does not
 * show until then, `untilMs` on the monotonic clock.
 */
export async function successorOf(home: Home, node: number, replid: string, untilMs: number): Promise<number | null> {
  while (performance.now() < untilMs) {
    const upstream = home.adminLane.toPrimary(node);
    const told = upstream === null ? null : parseReplication(await askOn(upstream, ['INFO', 'replication']));
    // As long as it believes to be a primary it has not heard of its successor yet.
    if (told?.copies) {
      const successor = home.map.at(told.copies.host, told.copies.port);
      return told.formerReplid === replid && successor !== undefined ? successor.index : null;
    }
    await pause(PAUSE_MS);
  }
  return null;
}
