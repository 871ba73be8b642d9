/** Lists that unique items are pushed to, at the end. */
import type { Operation } from '../history.ts';
import type { KeyHistory, Violation } from './violation.ts';

/** What is wrong with a list. */
export function checkList({ database, key, operations, final }: KeyHistory<readonly string[]>): Violation[] {
  const found: Violation[] = [];
  const report = (kind: Violation['kind'], detail: string, missing: readonly Operation[] = []): void =>
    void found.push({ kind, database, key, detail, missing });
  const pushes = new Map(operations.flatMap((one) => (one.kind === 'push' ? [[one.value, one] as const] : [])));
  const seen = new Set<string>();
  let latest: Operation | null = null;
  for (const item of final) {
    const push = pushes.get(item);
    if (seen.has(item)) report('twice', `${item} is there more than once`);
    else if (!push) report('invented', `${item} was pushed by nobody`);
    else if (push.outcome === 'failed') report('failed-applied', `${item} is there, and failed: ${push.error}`);
    else if (latest && push.endedMs < latest.beganMs) report('out-of-order', `${item} stands behind ${latest.id}`);
    seen.add(item);
    if (push && (latest === null || push.beganMs > latest.beganMs)) latest = push;
  }
  const missing = [...pushes.values()].filter(({ outcome, value }) => outcome === 'ok' && !seen.has(value));
  if (missing.length > 0) report('lost', `not there: ${missing.map(({ id }) => id).join(', ')}`, missing);
  return found;
}
