/** Subscriptions and publishing. What is subscribed to where is said in subscriptions.ts. */
import { encodeCommand } from '../../resp/encode.ts';
import { encodeReply } from '../../resp/encode-reply.ts';
import { Push, type Reply, ReplyError } from '../../resp/reply.ts';
import type { Call, Handler } from '../call.ts';
import type { Client } from '../client.ts';
import { decodeReply } from '../decoded-reply.ts';
import { Gather, listOf, toAllPrimaries, unlessError } from '../gather.ts';
import { slotOf } from '../hash-slot.ts';
import { inTurn } from '../in-turn.ts';
import type { Kind } from '../subscription-link.ts';
import { Subscriptions } from '../subscriptions.ts';

function subscriptionsOf(client: Client): Subscriptions {
  const known = client.session.subscriptions;
  if (known instanceof Subscriptions) return known;
  const made = new Subscriptions(client);
  client.session.subscriptions = made;
  return made;
}

/** A confirmation as the engine writes it. */
function confirmation(client: Client, word: string, name: string | null, count: number): Buffer {
  const items: Reply[] = [word, name === null ? null : Buffer.from(name, 'latin1'), count];
  return encodeReply(new Push(items), client.session.resp);
}

/** Subscriptions that are counted with those of this kind: sharded channels are counted apart. */
const countOf = (all: Subscriptions, kind: Kind): number =>
  kind === 'shards' ? all.shardChannels : all.channels + all.patterns;

const namesIn = (call: Call): string[] => call.args(1).map((name) => name.toString('latin1'));

const subscribe =
  (kind: Kind): Handler =>
  (call) => {
    const { client, command } = call;
    const names = namesIn(call);
    inTurn(
      client,
      async () => {
        const all = subscriptionsOf(client);
        const fresh = new Set(names.filter((name) => !all.wanted[kind].has(name)));
        let count = countOf(all, kind);
        const error = await all.add(kind, [...fresh]);
        client.updatePlain();
        if (error !== null) return encodeReply(new ReplyError(error), client.session.resp);
        const confirmations = names.map((name) => {
          if (fresh.delete(name)) count += 1;
          return confirmation(client, command.name, name, count);
        });
        return Buffer.concat(confirmations);
      },
      { isPush: true, written: () => subscriptionsOf(client).joined() },
    );
  };

/** Without names: from all of the kind. */
const unsubscribe =
  (kind: Kind): Handler =>
  (call) => {
    const { client, command } = call;
    const named = namesIn(call);
    const task = async (): Promise<Buffer> => {
      const all = subscriptionsOf(client);
      const names = named.length > 0 ? named : [...all.wanted[kind]];
      const gone = new Set(names.filter((name) => all.wanted[kind].has(name)));
      let count = countOf(all, kind);
      await all.remove(kind, [...gone]);
      client.updatePlain();
      if (names.length === 0) return confirmation(client, command.name, null, count);
      const confirmations = names.map((name) => {
        if (gone.delete(name)) count -= 1;
        return confirmation(client, command.name, name, count);
      });
      return Buffer.concat(confirmations);
    };
    inTurn(client, task, { isPush: true });
  };

/** To the home, where all subscribe and publish. */
const atHome: Handler = (call) => call.forward(-1);

const shardchannels: Handler = (call) => toAllPrimaries(call.client, false, call.frame(), listOf);

/** From the owner of each channel's slot. */
const shardnumsub: Handler = (call) => {
  const { client } = call;
  const names = call.args(2);
  const bySlot = Map.groupBy(names, (name) => slotOf(name, 0, name.length));
  const counts = new Map<string, Reply>();
  const gather = new Gather(
    client,
    unlessError((replies) => {
      for (const reply of replies) {
        const flat = decodeReply(reply) as Reply[];
        for (let index = 0; index < flat.length; index += 2) {
          counts.set((flat[index] as Buffer).toString('latin1'), flat[index + 1]!);
        }
      }
      const answer = names.flatMap((name): Reply[] => [name, counts.get(name.toString('latin1')) ?? 0]);
      return encodeReply(answer, client.session.resp);
    }),
  );
  for (const [slot, some] of bySlot) {
    const frame = encodeCommand(['PUBSUB', 'SHARDNUMSUB', ...some]);
    gather.send(slot, false, frame, 0, frame.length);
  }
  gather.seal();
};

export const PUBSUB_HANDLERS: Readonly<Record<string, Handler>> = {
  subscribe: subscribe('channels'),
  psubscribe: subscribe('patterns'),
  ssubscribe: subscribe('shards'),
  unsubscribe: unsubscribe('channels'),
  punsubscribe: unsubscribe('patterns'),
  sunsubscribe: unsubscribe('shards'),
  publish: atHome,
  'pubsub|channels': atHome,
  'pubsub|numsub': atHome,
  'pubsub|numpat': atHome,
  'pubsub|shardchannels': shardchannels,
  'pubsub|shardnumsub': shardnumsub,
};
