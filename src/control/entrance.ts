/** How machines come in: tokens, joining, and what is told of those who are refused. */
import type { NewEvent } from '../domain/event.ts';
import type { Clock } from '../platform/clock.ts';
import type { Store } from '../store/store.ts';
import { type FleetAuthority, fleetAuthority } from './fleet-authority.ts';
import { JoinTokens } from './join-tokens.ts';
import { Joining } from './joining.ts';
import type { Machines } from './machines.ts';
import { Refusals } from './refusals.ts';

export interface EntranceOptions {
  authority: FleetAuthority;
  /** Where machines that join find this server, such as `https://10.0.0.1:7440`. */
  joinUrls: () => readonly string[];
  /** Of machines' certificates; the authority's own measure without it. */
  validityMs?: number;
}

export interface Entrance {
  readonly tokens: JoinTokens;
  readonly joining: Joining;
  readonly refusals: Refusals;
}

/** Without options, tokens are refused: there is nowhere to join. */
export function createEntrance(
  { clock, store, entrance }: { clock: Clock; store: Store; entrance?: EntranceOptions },
  machines: Machines,
  record: (event: NewEvent) => void,
): Entrance {
  const { authority, joinUrls, validityMs } = entrance ?? {
    authority: fleetAuthority(store, clock),
    joinUrls: () => [],
    validityMs: undefined,
  };
  const refusals = new Refusals(clock, record);
  const tokens = new JoinTokens({ store, clock, authority, joinUrls, record });
  return {
    tokens,
    refusals,
    joining: new Joining({ clock, machines, tokens, authority, refusals, record, validityMs }),
  };
}
