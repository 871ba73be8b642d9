/** What a behaviour is shown on, and how what comes out is compared. */
import { inspect, isDeepStrictEqual } from 'node:util';
import type { CachingClient, ClientName, Command, CompatClient, Options, Protocol, Value } from './client.ts';
import { outcome } from './client.ts';

export interface Stage {
  /** Shared by all rows: none leaves it changed. */
  client: CompatClient;
  /** Another client of the same library; closed after the row. */
  open(options?: Options): Promise<CompatClient>;
  openCaching(): Promise<CachingClient>;
  /** What a node is told behind the endpoint's back, on every primary. */
  everyNode(...command: Command): Promise<string[]>;
  until(what: string, holds: () => Promise<boolean>): Promise<void>;
}

export type Does = ((stage: Stage) => Promise<unknown>) & { commands?: readonly Command[] };

export interface Behaviour {
  /** Unique, and says it in a word or two. */
  id: string;
  /** One sentence for people. */
  says: string;
  does: Does;
  /** What must come out: values, patterns, `inAnyOrder`, `holds`. */
  gives: unknown;
  /** Where it does not apply, with the reason. */
  except?: Partial<Record<ClientName | `${ClientName} in RESP${Protocol}`, string>>;
}

export interface Group {
  title: string;
  rows: readonly Behaviour[];
}

/** Commands one after the other; what comes out is the list of their replies. */
export function inOrder(...commands: readonly Command[]): Does {
  const does: Does = async ({ client }) => {
    const replies: Value[] = [];
    for (const command of commands) replies.push(await outcome(client.send(...command)));
    return replies;
  };
  does.commands = commands;
  return does;
}

class AnyOrder {
  readonly items: readonly unknown[];
  constructor(items: readonly unknown[]) {
    this.items = items;
  }
}

class Holds {
  readonly says: string;
  readonly test: (value: never) => boolean;
  constructor(says: string, test: (value: never) => boolean) {
    this.says = says;
    this.test = test;
  }
}

export const inAnyOrder = (...items: readonly unknown[]): AnyOrder => new AnyOrder(items);
export const holds = <T>(says: string, test: (value: T) => boolean): Holds => new Holds(says, test as never);

/** Where what came is not what must come; null when it is. */
export function difference(came: unknown, wanted: unknown, path = ''): string | null {
  const unlike = `${path || 'what came'}: ${inspect(came, { depth: 4 }).slice(0, 500)}, not `;
  if (wanted instanceof RegExp) return typeof came === 'string' && wanted.test(came) ? null : unlike + wanted;
  if (wanted instanceof Holds) return wanted.test(came as never) ? null : unlike + wanted.says;
  if (wanted instanceof AnyOrder) {
    return difference(Array.isArray(came) ? [...came].sort() : came, [...wanted.items].sort(), path);
  }
  if (Array.isArray(wanted)) {
    if (!Array.isArray(came) || came.length !== wanted.length) return unlike + inspect(wanted);
    for (const [index, item] of wanted.entries()) {
      const found = difference(came[index], item, `${path}[${index}]`);
      if (found !== null) return found;
    }
    return null;
  }
  return isDeepStrictEqual(came, wanted) ? null : unlike + inspect(wanted);
}
