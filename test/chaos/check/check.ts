/** All checks of one database's history. */
import type { Final, Operation } from '../history.ts';
import { checkCounter } from './counters.ts';
import { checkList } from './lists.ts';
import { checkRegister } from './registers.ts';
import type { Violation } from './violation.ts';

/** Everything that is wrong with a history, key by key. `finals` holds every key of it. */
export function checkHistory(
  database: string,
  operations: readonly Operation[],
  finals: ReadonlyMap<string, Final>,
  finalMs: number,
): Violation[] {
  const byKey = Map.groupBy(operations, ({ key }) => key);
  return [...byKey].flatMap(([key, ofKey]) => {
    const final = finals.get(key);
    if (final === undefined) throw new Error(`the final value of ${key} was not read`);
    const about = { database, key, operations: ofKey, finalMs };
    switch (ofKey[0]!.kind) {
      case 'incr':
        return checkCounter({ ...about, final: Number(final ?? 0) });
      case 'push':
        return checkList({ ...about, final: Array.isArray(final) ? (final as readonly string[]) : [] });
      default:
        return checkRegister({ ...about, final: final as string | null });
    }
  });
}

/**
 * Keys of earlier rounds, which nobody has written since: they must be what they were. One whose write had an unknown
 * outcome may have changed once.
 */
export function checkKept(
  database: string,
  before: ReadonlyMap<string, Final>,
  now: ReadonlyMap<string, Final>,
  uncertain: ReadonlySet<string>,
): Violation[] {
  return [...before].flatMap(([key, was]): Violation[] => {
    const is = now.get(key);
    if (is === undefined) throw new Error(`the value of ${key} was not read again`);
    if (JSON.stringify(is) === JSON.stringify(was) || uncertain.has(key)) return [];
    const detail = `of an earlier round: was ${JSON.stringify(was)}, is ${JSON.stringify(is)}`;
    return [{ kind: is === null ? 'lost' : 'resurrected', database, key, detail, missing: [] }];
  });
}
