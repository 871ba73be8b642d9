/** What the supervision of a node takes from its agent. */
import type { Logger } from '../platform/log.ts';
import type { MachineCredentials } from '../trust/credential-files.ts';
import type { OwnNode } from './own-node.ts';

export interface NodeSurroundings {
  enginePath: string;
  machine: string;
  /** Where nodes listen. */
  address: string;
  /** What nodes with TLS show and believe; null: none can be here. */
  credentials: MachineCredentials | null;
  log: Logger;
  now: () => number;
  /** Something about the node changed. */
  changed: (node: OwnNode) => void;
}
