/** LATENCY of all primaries: events and histograms are put together; reports for people are of one primary. */
import { encodeReply } from '../../resp/encode-reply.ts';
import type { Reply } from '../../resp/reply.ts';
import type { Handler } from '../call.ts';
import { policyOf } from '../commands/policies.ts';
import { decodeReply } from '../decoded-reply.ts';
import { pairsOf, sumOf, toAllPrimaries, unlessError } from '../gather.ts';

const MINUS = 0x2d;

/** Makes one answer of what all primaries answer. */
const merging =
  (merge: (replies: Reply[]) => Reply): Handler =>
  (call) => {
    const { resp } = call.session;
    const combine = unlessError((replies) => encodeReply(merge(replies.map(decodeReply)), resp));
    toAllPrimaries(call.client, true, call.frame(), combine);
  };

/** A number of calls up to so many microseconds, ascending in both. */
type Steps = [micros: number, calls: number][];

interface Calls {
  calls: number;
  steps: Steps;
}

const histogram = merging((replies) => {
  const byCommand = new Map<string, Calls[]>();
  for (const [name, value] of replies.flatMap((reply) => [...pairsOf(reply)])) {
    const fields = pairsOf(value);
    const steps = [...pairsOf(fields.get('histogram_usec')!)].map(([at, count]): Steps[0] => [
      Number(at),
      Number(count),
    ]);
    byCommand.set(name, [...(byCommand.get(name) ?? []), { calls: Number(fields.get('calls')), steps }]);
  }
  return new Map(
    [...byCommand].map(([name, all]) => {
      // What went to every primary was one command; the first stands for it.
      const { calls, steps } = addUp(policyOf(name).kind === 'all' ? all.slice(0, 1) : all);
      return [name, new Map<Reply, Reply>(Object.entries({ calls, histogram_usec: new Map(steps) }))];
    }),
  );
});

/** Steps of several are at other places: each counts with what it had at its last step before. */
export function addUp(all: readonly Calls[]): Calls {
  const places = [...new Set(all.flatMap(({ steps }) => steps.map(([micros]) => micros)))].sort(
    (one, two) => one - two,
  );
  const countAt = ({ steps }: Calls, place: number): number => steps.findLast(([micros]) => micros <= place)?.[1] ?? 0;
  const sum = (read: (one: Calls) => number): number => all.reduce((total, one) => total + read(one), 0);
  return {
    calls: sum(({ calls }) => calls),
    steps: places.map((place) => [place, sum((one) => countAt(one, place))]),
  };
}

/** Name, time, latest, longest, sum, count. */
type Event = [Buffer, ...number[]];

const latest = merging((replies) => {
  const byName = new Map<string, Event>();
  for (const event of replies.flatMap((reply) => reply as unknown as Event[])) {
    const [name, time, last, longest, sum, count] = event;
    const known = byName.get(String(name));
    const isNewer = !known || time! > known[1]!;
    const [, , , knownLongest = 0, knownSum = 0, knownCount = 0] = known ?? [];
    const newest = isNewer ? [time!, last!] : [known[1]!, known[2]!];
    byName.set(String(name), [
      ...([name, ...newest, Math.max(longest!, Number(knownLongest))] as Event),
      ...[sum! + Number(knownSum), count! + Number(knownCount)],
    ]);
  }
  return [...byName.values()];
});

const history = merging((replies) =>
  replies.flatMap((reply) => reply as [number, number][]).sort(([one], [other]) => one - other),
);

/** Drawn from the samples of one primary, the first that has any. */
const graph: Handler = (call) =>
  toAllPrimaries(
    call.client,
    true,
    call.frame(),
    (replies) => replies.find((reply) => reply[0] !== MINUS) ?? replies[0]!,
  );

const reset: Handler = (call) => toAllPrimaries(call.client, false, call.frame(), sumOf);

export const LATENCY_HANDLERS: Readonly<Record<string, Handler>> = {
  'latency|histogram': histogram,
  'latency|latest': latest,
  'latency|history': history,
  'latency|graph': graph,
  'latency|reset': reset,
};
