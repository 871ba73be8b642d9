/** The fleet's authority: made when something first needs it, kept in the store, shared by all servers on that. */
import type { Clock } from '../platform/clock.ts';
import type { Store } from '../store/store.ts';
import type { Authority, AuthorityPems } from '../trust/authority.ts';

const KEY = 'authority';

export type FleetAuthority = () => Promise<Authority>;

/** Opened once; a failure is not remembered. The call throws authority_damaged, and what the store throws. */
export function fleetAuthority(store: Store, clock: Clock): FleetAuthority {
  let opened: Promise<Authority> | null = null;
  return () => {
    opened ??= open(store, clock).catch((error: unknown) => {
      opened = null;
      throw error;
    });
    return opened;
  };
}

/** Whether one was made: then machines may have joined, and their nodes speak TLS. */
export const hasAuthority = async (store: Store): Promise<boolean> => (await store.get(KEY)) !== null;

async function open(store: Store, clock: Clock): Promise<Authority> {
  // Seldom needed, and dear: see trust/x509.ts.
  const { createAuthority, openAuthority } = await import('../trust/authority.ts');
  const present = await store.get<AuthorityPems>(KEY);
  if (present) return openAuthority(present.value);
  const made = await createAuthority(clock.now());
  const done = await store.commit([{ put: KEY, value: made, expect: 'absent' }]);
  // Of two servers that make one at the same time, both take that of the first.
  return openAuthority(done.ok ? made : (await store.get<AuthorityPems>(KEY))!.value);
}
