/** One move to another number of shards: prepared, begun beside the load, watched, and looked at afterwards. */
import { setTimeout as sleep } from 'node:timers/promises';
import { nowMs } from '../faults/clock.ts';
import { addedIn, errorsIn, type History, type ReadBack, waitsIn } from './history.ts';
import type { Load } from './load.ts';
import { holdMemory } from './memory.ts';
import type { Clients, Move } from './result.ts';
import { isSpread } from './slots.ts';
import type { System } from './system.ts';
import { SlotWatch, type Span } from './watch.ts';

/** The load runs so long before the command: clients have their connections by then. */
const BEFORE_MS = 2_000;
/** A source drops what it gave away when others own it already, and answers nobody meanwhile. */
const AFTER_MS = 1_000;

export interface Plan {
  system: System;
  /** Null: nobody uses it meanwhile. */
  load: Load | null;
  perSecond: number;
  /** That were there at first. */
  keys: number;
  /** Of the repetition. */
  number: number;
  /** Acknowledged writes that are removed before reading back, to see that it is noticed. */
  spoil: number;
}

/** Everything that was logged of it. */
export interface Raw {
  commandAt: number;
  overAt: number;
  span: Span;
  history: History | null;
}

/** Makes it so many shards. @throws Error when it does not become so */
export async function measureMove(
  { system, load, perSecond, keys, number, spoil }: Plan,
  from: number,
  to: number,
): Promise<{ move: Move; raw: Raw }> {
  const { nodes } = system;
  await nodes.settle(await system.addresses());
  const [first] = (await system.addresses()) as [{ host: string; port: number }];
  const before = await nodes.contents(first);
  const owned = await nodes.owned(first);
  if (load) {
    await load.begin(`${from}-${to}`, keys, perSecond);
    await sleep(BEFORE_MS);
  }
  using memory = await holdMemory(before.usedBytes);
  await using watch = await SlotWatch.begin(nodes, owned, memory.free);
  const commandAt = nowMs();
  await system.change(to);
  const overAt = nowMs();
  const span = await watch.end(to);
  if (load) await sleep(AFTER_MS);
  const history = load ? await load.end() : null;
  const readBack = load ? await load.verify(spoil) : null;
  if (!isSpread(span.owned, to)) throw new Error(`slots are not spread evenly over ${to} shards`);
  await nodes.settle(await system.addresses());
  const after = await nodes.contents(first);
  const move: Move = {
    ...{ number, from, to, slots: span.slots },
    slotsMs: span.placedAt - span.beganAt,
    beforeMs: span.beganAt - commandAt,
    wholeMs: overAt - commandAt,
    ...{ usedBytes: before.usedBytes, dataBytes: before.dataBytes },
    keys: { before: before.keys, ...(history ? addedIn(history) : { added: 0, unsure: 0 }), after: after.keys },
    clients: history && clientsIn(history, { commandAt, overAt, span }, readBack!),
  };
  return { move, raw: { commandAt, overAt, span, history } };
}

function clientsIn(
  history: History,
  { commandAt, overAt, span }: Pick<Raw, 'commandAt' | 'overAt' | 'span'>,
  readBack: ReadBack,
): Clients {
  return {
    moving: waitsIn(history, span.beganAt, span.placedAt + AFTER_MS),
    whole: waitsIn(history, commandAt, overAt + AFTER_MS),
    errors: errorsIn(history),
    sentAgain: history.sentAgain,
    readBack,
  };
}
