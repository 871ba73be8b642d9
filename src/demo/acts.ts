/** The acts, in the order of the notes. Each plays on what the ones before it left. */
import { losePrimary } from './acts/lose-primary.ts';
import { oneAddress } from './acts/one-address.ts';
import { readCopies } from './acts/read-copies.ts';
import { spread } from './acts/spread.ts';
import type { Act } from './scene.ts';

export const ACTS: readonly Act[] = [spread, readCopies, losePrimary, oneAddress];
