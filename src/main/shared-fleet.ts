/**
 * What all servers of a fleet must have in common: its id, and the tokens that clients and agents show. The first server
 * puts those of its data directory into the store; the others take them from there into theirs.
 */
import { randomUUID } from 'node:crypto';
import { ValkeeperError } from '../domain/errors.ts';
import { writeFileAtomic } from '../platform/files.ts';
import type { Store } from '../store/store.ts';
import { readToken } from './data-dir.ts';

const KEY = 'fleet';

export interface SharedFleet {
  /** Terms of one fleet are compared, those of two are not. */
  id: string;
  token: string;
  agentToken: string;
}

/** Resolves when store and token files agree. @throws file_unusable, and what the store throws */
export async function joinFleet(store: Store, files: { token: string; agentToken: string }): Promise<SharedFleet> {
  const own = { id: randomUUID(), token: readToken(files.token), agentToken: readToken(files.agentToken) };
  const made = await store.commit([{ put: KEY, value: own, expect: 'absent' }]);
  if (made.ok) return own;
  const fleet = (await store.get<SharedFleet>(KEY))?.value;
  if (!fleet) throw new ValkeeperError('internal', { detail: 'the fleet vanished from the store' });
  if (fleet.token !== own.token) await writeFileAtomic(files.token, fleet.token);
  if (fleet.agentToken !== own.agentToken) await writeFileAtomic(files.agentToken, fleet.agentToken);
  return fleet;
}
