/** What a control plane is made of. */
import type { Clock } from '../platform/clock.ts';
import type { Logger } from '../platform/log.ts';
import type { ServersStatus } from '../protocol/api.ts';
import type { EventLog } from '../store/events.ts';
import type { Store } from '../store/store.ts';
import type { Credentials } from '../trust/credentials.ts';
import type { Agents } from './agents.ts';
import type { EntranceOptions } from './entrance.ts';

export interface ControlPlaneOptions {
  store: Store;
  events: EventLog;
  agents: Agents;
  log: Logger;
  clock: Clock;
  version: string;
  dataDir: string;
  engineVersion: string;
  /** What it shows nodes that speak TLS, as it is now; null: none of them can be reached. */
  credentials: (() => Credentials) | null;
  /** Last lines of the control plane's own log. */
  readOwnLog: (lines: number) => Promise<string>;
  /** For machines that join; without it, none can. */
  entrance?: EntranceOptions;
  /** The servers of the fleet; without it this one is the only one. */
  servers?: () => ServersStatus;
  /** Backups: where they go when nobody says it, null where somebody has to; and their keys, the present one first. */
  backup?: { place: string | null; keys: readonly Buffer[] };
  /** Whether nodes may be told anything at this moment: not by one that leads no longer. */
  mayAct?: () => boolean;
}
