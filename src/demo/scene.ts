/** What a play is made of: the scene it is played on, its acts, and what each of them found. */
import type { BackupStatus } from '../domain/backup.ts';
import type { FailoverRecord } from '../domain/failover.ts';
import type { DatabaseStatus, NodeStatus } from '../domain/status.ts';
import type { MachineStatus } from '../protocol/api.ts';

/** A running fleet with one database that nobody else uses, and the stage. Made by `main`. */
export interface Scene {
  /** Of the database; null when it has none. */
  password: string | null;
  /** Aborted when the play must end now; its reason is the error to end with. */
  signal: AbortSignal;
  /** The database as the control plane publishes it now. */
  show(): Promise<DatabaseStatus>;
  /** Failovers of the database, latest first. */
  failovers(): Promise<readonly FailoverRecord[]>;
  /** Asks for another number of shards; they come into being afterwards. */
  reshard(shards: number): Promise<void>;
  /** Asks for a backup; it is made afterwards. */
  backUp(): Promise<BackupStatus>;
  /** A backup as the control plane publishes it now. */
  backup(id: string): Promise<BackupStatus>;
  /** Asks for a second database with the data of a backup; it comes into being afterwards. */
  restore(id: string, shards: number): Promise<Restored>;
  /** kill -9 of the node's process. @throws RangeError when it has none, or it is none of this fleet */
  kill(node: NodeStatus): void;
  /** A machine as the control plane publishes it now. */
  machine(name: string): Promise<MachineStatus>;
  /** Everything on the machine stops where it is, without a word. @returns processes @throws RangeError when none runs */
  cutPower(machine: string): number;
  /** What stood still is ended, and the machine starts anew with what is on its disk; nothing, if it has power. */
  restorePower(machine: string): void;
  /** Folders of nodes on the machine's disk. */
  nodeFolders(machine: string): string[];
  /** Lines for the audience. */
  say(text: string): void;
  /** What is going on; shown while it lasts. */
  phase(text: string): void;
}

/** A second database, made of a backup. */
export interface Restored extends Pick<Scene, 'password' | 'show'> {
  name: string;
  /** Asks for its end; it goes afterwards. */
  remove(): Promise<void>;
  isThere(): Promise<boolean>;
}

/** One thing the notes say, shown to be so. */
export interface Act {
  /** Its name in the document; never changes. */
  id: string;
  title: string;
  /** The sentence of the notes that it makes true, word for word. */
  sentence: string;
  /** Plays it. @throws demo_late when something did not come about in time, and the signal's reason */
  play(scene: Scene): Promise<Outcome>;
}

/** What an act found. */
export interface Outcome {
  /** What had to be the case, each with whether it was. The act holds when all were. */
  claims: Claim[];
  /** What was measured, for programs; names carry units. */
  figures: Record<string, unknown>;
  /** The same for the closing table: what, and how much. */
  summary: [what: string, howMuch: string][];
}

/** A sentence that is true or not. */
export interface Claim {
  text: string;
  held: boolean;
}
