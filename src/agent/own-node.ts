/** A node of this machine, as what acts by itself needs it; a `SupervisedNode` on real machines. */
import { ValkeeperError } from '../domain/errors.ts';
import type { NodeId } from '../domain/ids.ts';
import type { StartAs } from '../domain/start-as.ts';
import type { DiskView, PulseState } from '../domain/view.ts';
import type { NodeReport } from '../protocol/agent-messages.ts';
import type { WrittenMark } from './written.ts';

export interface OwnNode {
  readonly id: NodeId;
  /** Of its process; null while none runs. */
  readonly pid: number | null;
  /** What its nodes.conf claims now, whether or not its process answers. */
  readonly claim: DiskView['claim'];
  /** The state for which its last process was ended here; null: it ended by itself, or as asked. */
  readonly endedFor?: PulseState | null;
  /** How far its process had come, as a primary; the oldest first. */
  readonly written?: readonly WrittenMark[];
  report(): NodeReport;
  /** One request at a time. */
  exclusively<T>(work: () => Promise<T>): Promise<T>;
  /** @throws ValkeeperError when it does not start */
  start(as: StartAs): Promise<{ pid: number }>;
  /** Ends the process at once. @throws node_not_ended */
  end(why: string): Promise<void>;
}

/** What was decided of one end of a process is not done after another. @throws node_ended_again */
export function requireEnd(node: Pick<OwnNode, 'id' | 'report'>, after: number | undefined, machine: string): void {
  const { process } = node.report();
  if (after === undefined || process.state !== 'exited' || process.at === after) return;
  throw new ValkeeperError('node_ended_again', { node: node.id, machine });
}

/** It ended, and nobody had asked for it. */
export function hasDied(node: OwnNode | undefined): boolean {
  const process = node?.report().process;
  return process?.state === 'exited' && process.how === 'died';
}
