/** What carrying out steps takes. */
import type { NodeId } from '../domain/ids.ts';
import type { MachineView } from '../domain/view.ts';
import type { Clock } from '../platform/clock.ts';
import type { Engines } from '../valkey/engines.ts';
import type { Agents } from './agents.ts';
import type { Seeds } from './backups/seeds.ts';
import type { Databases } from './databases.ts';
import type { Begun } from './job-chain.ts';
import type { Observer } from './observer.ts';
import type { QuietNodes } from './quiet-nodes.ts';
import type { SlotRates } from './slot-rates.ts';

export interface Tools {
  agents: Agents;
  clock: Clock;
  databases: Databases;
  engines: Engines;
  observer: Observer;
  slotRates: SlotRates;
  quietNodes: QuietNodes;
  seeds: Pick<Seeds, 'deliver'>;
  /** Jobs have begun at their source. */
  jobsBegun: (jobs: Begun) => void;
  /** Every machine of the fleet. */
  machines: () => readonly MachineView[];
  newNodeId: () => NodeId;
  /** Work that reserves room, ports or names runs one after the other: what one got, the next must find in the records. */
  oneByOne: <T>(work: () => Promise<T>) => Promise<T>;
}
