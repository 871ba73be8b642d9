/** Writes the data of a measurement, to the nodes themselves, as fast as they take it. */
import { keySlot } from '../../src/domain/key-slot.ts';
import { SLOT_COUNT } from '../../src/domain/slots.ts';
import { ReplyError } from '../../src/resp/reply.ts';
import type { Address } from '../support/formation.ts';
import { FIRST_VERSION, keyOf, type Text, valueFor } from './data.ts';
import type { Nodes } from './nodes.ts';

/** Keys that are sent together, to all nodes. */
const BATCH = 3_000;

type Commands = Map<Address, string[][]>;

/** So many keys, to the owners of their slots by the word of this node. @throws Error when one is not acknowledged */
export async function fill(nodes: Nodes, address: Address, keys: number, text: Text = 'random'): Promise<void> {
  const owners = new Array<Address | undefined>(SLOT_COUNT);
  for (const owned of await nodes.owned(address)) owners.fill(owned, owned.from, owned.to + 1);
  let sent = Promise.resolve();
  for (let from = 0; from < keys; from += BATCH) {
    const commands = commandsFor(owners, from, Math.min(keys, from + BATCH), text); // while nodes are busy with those before
    await sent;
    sent = sendAll(nodes, commands);
  }
  await sent;
}

function commandsFor(owners: readonly (Address | undefined)[], from: number, end: number, text: Text): Commands {
  const commands: Commands = new Map();
  for (let number = from; number < end; number += 1) {
    const key = keyOf(number);
    const owner = owners[keySlot(key)];
    if (!owner) throw new Error(`nobody owns the slot of ${key}`);
    const own = commands.get(owner) ?? [];
    commands.set(owner, own);
    own.push(['SET', key, valueFor(key, FIRST_VERSION, text)]);
  }
  return commands;
}

async function sendAll(nodes: Nodes, commands: Commands): Promise<void> {
  const answers = await Promise.all([...commands].map(([owner, own]) => nodes.at(owner).pipeline(own)));
  const refused = answers.flat().find((reply) => reply instanceof ReplyError);
  if (refused) throw new Error(`a key of the data was refused: ${refused.message}`);
}
