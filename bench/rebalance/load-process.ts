/**
 * The load, a process of its own: operations become due by the clock, whether or not earlier ones were answered; half of
 * them read, half write, over keys that are there and some new ones (with `half`, none: data that is measured again and
 * again is not to grow). Told by lines of JSON on standard input, one answer a
 * line; see `LoadOrder`. It ends with its standard input.
 */
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { nowMs } from '../faults/clock.ts';
import { kindOf, UNANSWERED } from '../faults/history.ts';
import { CountingCluster, clusterClients, endpointClients } from '../reshards/clients.ts';
import { OK } from '../reshards/judge.ts';
import { isValueFor, keyOf, type Text, valueFor } from './data.ts';
import type { History, Kind, ReadBack } from './history.ts';
import type { Target } from './system.ts';

/**
 * `begin`: so many operations a second, over so many keys, written in this version. `end`: send no more, wait for answers,
 * and hand over the history. `verify`: read back all that was written and acknowledged since `begin`; `spoil` so many of
 * the keys first, to see that it is noticed.
 */
export type LoadOrder =
  | { order: 'begin'; version: string; keys: number; perSecond: number; text: Text }
  | { order: 'end' }
  | { order: 'verify'; spoil: number };

/** What comes after what, again and again. */
const MIX: readonly Kind[] = ['read', 'write', 'read', 'write', 'read', 'write', 'read', 'write', 'read', 'new'];
const SAME_KEYS: readonly Kind[] = ['read', 'write'];
const TICK_MS = 1;
/** Later than this by itself is told. */
const LATE_MS = 5;
/** Operations without an answer; beyond it none are sent until some are answered. They are due all the same. */
const MAX_UNANSWERED = 20_000;
/** Longer than the endpoint has patience. */
const LAST_ANSWERS_MS = 15_000;
/** Primes, so that every key is met before one is met again: each is written once, and what it is then is known. */
const STRIDES = { read: 104_729, write: 7_919 } as const;
const BATCH = 500;
/** An error as good as any other. */
const MISSING = 'missing key';

interface Operation {
  kind: Kind;
  key: string;
  dueAt: number;
  answeredAt: number | null;
  outcome: string;
}

const { way, addresses, password } = JSON.parse(process.argv[2]!) as Target;
const clients = (way === 'endpoint' ? endpointClients : clusterClients)(addresses, password);
let operations: Operation[] = [];
let late: [number, number][] = [];
let version = '';
let text: Text = 'random';
let sentAgainBefore = 0;
let timer: NodeJS.Timeout | null = null;

const sentAgain = (): number =>
  clients.reduce((sum, client) => sum + (client instanceof CountingCluster ? client.sentAgain : 0), 0);

function begin({ keys, perSecond, ...order }: Extract<LoadOrder, { order: 'begin' }>): null {
  operations = [];
  late = [];
  version = order.version;
  text = order.text;
  const mix = text === 'half' ? SAME_KEYS : MIX;
  sentAgainBefore = sentAgain();
  const startedAt = nowMs();
  const current = operations;
  let unanswered = 0;
  let tickedAt = startedAt;
  const send = (): void => {
    const number = current.length;
    const kind = mix[number % mix.length]!;
    const key = kind === 'new' ? `new:${version}:${number}` : keyOf((number * STRIDES[kind]) % keys);
    const dueAt = startedAt + (number * 1_000) / perSecond;
    const operation: Operation = { kind, key, dueAt, answeredAt: null, outcome: UNANSWERED };
    current.push(operation);
    unanswered += 1;
    call(clients[number % clients.length]!, operation).then((outcome) => {
      unanswered -= 1;
      operation.answeredAt = nowMs();
      operation.outcome = outcome;
    });
  };
  timer = setInterval(() => {
    const now = nowMs();
    if (now - tickedAt > LATE_MS) late.push([now, now - tickedAt]);
    tickedAt = now;
    const due = Math.floor(((now - startedAt) * perSecond) / 1_000);
    while (current.length < due && unanswered < MAX_UNANSWERED) send();
  }, TICK_MS);
  return null;
}

/** How it ended: `ok`, or the kind of its error. A key of the data is to be there, also for whoever writes it again. */
async function call(client: (typeof clients)[number], { kind, key }: Operation): Promise<string> {
  try {
    if (kind === 'new') {
      await client.set(key, valueFor(key, version, text));
      return OK;
    }
    if (kind === 'write') return (await client.set(key, valueFor(key, version, text), 'XX')) === null ? MISSING : OK;
    const found = await client.get(key);
    if (found === null) return MISSING;
    return isValueFor(key, found) ? OK : 'value of another key';
  } catch (error) {
    return kindOf((error as Error).message);
  }
}

async function end(): Promise<History> {
  clearInterval(timer!);
  const isOpen = ({ answeredAt }: Operation): boolean => answeredAt === null;
  const deadline = nowMs() + LAST_ANSWERS_MS;
  while (operations.some(isOpen) && nowMs() < deadline) await sleep(TICK_MS);
  operations = operations.map((one) => ({ ...one, answeredAt: one.answeredAt ?? nowMs() })); // what comes now is too late
  return {
    operations: operations.map(({ kind, dueAt, answeredAt, outcome }) => [kind, dueAt, answeredAt!, outcome]),
    late,
    sentAgain: sentAgain() - sentAgainBefore,
  };
}

async function verify({ spoil }: Extract<LoadOrder, { order: 'verify' }>): Promise<ReadBack> {
  const written = operations.filter(({ kind, outcome }) => kind !== 'read' && outcome === OK);
  for (const { key } of written.slice(0, spoil)) await clients[0]!.unlink(key);
  let lost = 0;
  for (let at = 0; at < written.length; at += BATCH) {
    const found = await Promise.all(
      written.slice(at, at + BATCH).map(({ key }, index) => clients[index % clients.length]!.get(key)),
    );
    lost += found.filter((value, index) => {
      const { key } = written[at + index]!;
      return value !== valueFor(key, version, text);
    }).length;
  }
  return { checked: written.length, lost };
}

const answer = (order: LoadOrder): unknown => {
  if (order.order === 'begin') return begin(order);
  return order.order === 'end' ? end() : verify(order);
};
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await answer(JSON.parse(line) as LoadOrder)));
}
process.exit(0);
