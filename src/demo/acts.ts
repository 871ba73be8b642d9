/** The acts, what takes most from the fleet last. Each plays on what the ones before it left. */
import { loseMachine } from './acts/lose-machine.ts';
import { losePrimary } from './acts/lose-primary.ts';
import { oneAddress } from './acts/one-address.ts';
import { readCopies } from './acts/read-copies.ts';
import { reshard } from './acts/reshard.ts';
import { restoreBackup } from './acts/restore-backup.ts';
import { spread } from './acts/spread.ts';
import type { Act } from './scene.ts';

export const ACTS: readonly Act[] = [spread, readCopies, losePrimary, oneAddress, reshard, restoreBackup, loseMachine];
