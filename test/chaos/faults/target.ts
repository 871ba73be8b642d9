/** What a fault may hit. Pure: from the fleet as last seen to its candidates and what each would touch. */
import type { Hit } from '../budget.ts';
import type { Copy, Picture } from '../picture.ts';
import type { FaultName } from './names.ts';

export interface Target {
  /** For people. */
  what: string;
  machine?: string;
  /** The second of a pair. */
  other?: string;
  copy?: Copy;
  hit: Hit;
}

/** Everything that a fault of this name could hit now, if nothing else were wrong. */
export function candidates(name: FaultName, picture: Picture): Target[] {
  const of = (role: Copy['role']): Target[] =>
    picture.copies
      .filter((copy) => copy.role === role)
      .map((copy) => ({
        what: `${role} ${copy.nodeId.slice(0, 8)} of ${copy.database}/${copy.shard} on ${copy.machine}`,
        ...{ machine: copy.machine, copy },
        hit: { things: [copy.nodeId], machines: [], copies: [copy] },
      }));
  const copiesOn = (machine: string): Copy[] => picture.copies.filter((copy) => copy.machine === machine);
  /** The machine as a whole, with its copies unless only Valkeeper's own processes are touched. */
  const machines = (names = picture.machines, copiesToo = true): Target[] =>
    names.map((machine) => ({
      ...{ what: machine, machine },
      hit: { things: [machine], machines: [machine], copies: copiesToo ? copiesOn(machine) : [] },
    }));
  const server: Target = { what: 'the control plane', hit: { things: ['server'], machines: [], copies: [] } };
  switch (name) {
    case 'kill-primary':
    case 'stop-primary':
      return of('primary');
    case 'kill-replica':
    case 'stop-replica':
      return of('replica');
    case 'kill-agent':
    case 'stop-agent':
      return machines(picture.machines, false);
    case 'kill-endpoint':
    case 'stop-endpoint':
      return picture.machines.map((machine) => ({
        ...{ what: `endpoint of ${machine}`, machine },
        hit: { things: [machine], machines: [], copies: [] },
      }));
    case 'kill-server':
    case 'stop-server':
    case 'cut-server':
      return [server];
    case 'cut-machine':
    case 'cut-outgoing':
    case 'cut-incoming':
    case 'lose-packets':
    case 'slow-network':
    case 'lose-power':
    case 'fill-disk':
      return machines();
    case 'step-clock':
      return machines([picture.wobbly]);
    case 'cut-pair':
      return picture.machines.flatMap((machine) =>
        picture.machines
          .filter((other) => other > machine)
          .map((other) => ({
            ...{ what: `${machine} and ${other}`, machine, other },
            // Both go on with everybody else: as if one of them were away, whichever it is.
            hit: { things: [machine, other], machines: [machine], copies: copiesOn(machine) },
          })),
      );
    case 'damage-log':
    case 'cut-log':
    case 'damage-snapshot':
    case 'cut-nodes-conf':
      // The agent must not start the replica before its file is damaged.
      return of('replica').map(({ hit, ...target }) => ({
        ...target,
        hit: { ...hit, things: [...hit.things, target.machine!], machines: [target.machine!] },
      }));
  }
}

/** The one that a number from 0 to 1 picks. */
export const pickOf = <T>(list: readonly T[], pick: number): T => list[Math.floor(pick * list.length)]!;
