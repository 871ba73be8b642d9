/**
 * The end of a turn of the event loop: what was written to a socket during the turn leaves in one piece, so that the
 * commands of many clients share one system call.
 */

export interface Flushable {
  /** It is in the list of this turn. */
  isDirty: boolean;
  flush(): void;
}

let dirty: Flushable[] = [];
let spare: Flushable[] = [];

/** Has `flush` called at the end of this turn; to be called with `isDirty` false only. */
export function flushAtEndOfTurn(one: Flushable): void {
  one.isDirty = true;
  dirty.push(one);
  if (dirty.length === 1) setImmediate(endTurn);
}

function endTurn(): void {
  const now = dirty;
  dirty = spare;
  spare = now;
  for (let index = 0; index < now.length; index += 1) {
    const one = now[index]!;
    one.isDirty = false;
    one.flush();
  }
  now.length = 0;
}
