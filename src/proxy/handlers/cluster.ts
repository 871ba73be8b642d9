/**
 * The topology that a client sees: the endpoint as one node that owns all slots; or the true one, as a node tells it,
 * where the database is set to show that.
 */
import { SLOT_COUNT } from '../../domain/slots.ts';
import { type Answer, Verbatim } from '../../resp/encode-reply.ts';
import type { Call, Handler } from '../call.ts';
import { slotOf } from '../hash-slot.ts';
import { partsOfAddress } from '../session.ts';
import { idOf } from './info.ts';

const LAST_SLOT = SLOT_COUNT - 1;
const EPOCH = 1;

/** Answered by the endpoint as the one node it shows itself as. */
const asOneNode =
  (answer: (call: Call) => Answer): Handler =>
  (call) => {
    if (call.home.database.clusterView === 'nodes') call.forward(-1);
    else call.answer(answer(call));
  };

const myId = (call: Call): string => idOf(call.home, 'node');
const myShardId = (call: Call): string => idOf(call.home, 'shard');

const slots = (call: Call): Answer => {
  const [host, port] = partsOfAddress(call.session.localAddress);
  return [[0, LAST_SLOT, [host, port, myId(call), new Map()]]];
};

const shards = (call: Call): Answer => {
  const [host, port] = partsOfAddress(call.session.localAddress);
  const node = new Map<Answer, Answer>([
    ['id', myId(call)],
    ['port', port],
    ['ip', host],
    ['endpoint', host],
    ['role', 'master'],
    ['replication-offset', 0],
    ['health', 'online'],
  ]);
  return [
    new Map<Answer, Answer>([
      ['slots', [0, LAST_SLOT]],
      ['nodes', [node]],
      ['id', myShardId(call)],
    ]),
  ];
};

const nodes = (call: Call): Answer => {
  const [host, port] = partsOfAddress(call.session.localAddress);
  return new Verbatim(`${myId(call)} ${host}:${port}@0 myself,master - 0 0 ${EPOCH} connected 0-${LAST_SLOT}\n`);
};

const info = (call: Call): Answer => {
  const { map } = call.home;
  const served = map.owners.reduce((count, owner) => count + (owner < 0 ? 0 : 1), 0);
  const lines: [string, string | number][] = [
    ['cluster_state', map.isComplete ? 'ok' : 'fail'],
    ['cluster_slots_assigned', SLOT_COUNT],
    ['cluster_slots_ok', served],
    ['cluster_slots_pfail', 0],
    ['cluster_slots_fail', SLOT_COUNT - served],
    ['cluster_nodes_pfail', 0],
    ['cluster_nodes_fail', 0],
    ['cluster_voting_nodes_pfail', 0],
    ['cluster_voting_nodes_fail', 0],
    ['cluster_known_nodes', 1],
    ['cluster_size', 1],
    ['cluster_current_epoch', EPOCH],
    ['cluster_my_epoch', EPOCH],
    ['cluster_stats_messages_sent', 0],
    ['cluster_stats_messages_received', 0],
    ['total_cluster_links_buffer_limit_exceeded', 0],
  ];
  return new Verbatim(lines.map(([name, value]) => `${name}:${value}\r\n`).join(''));
};

const keySlot: Handler = (call) => call.answer(slotOf(call.arg(2), 0, call.lengthOf(2)));

/** To the owner of the slot that is named; what is none is refused by whichever node. */
const ofSlot: Handler = (call) => {
  const text = call.text(2);
  call.forward(/^\d{1,5}$/.test(text) && Number(text) < SLOT_COUNT ? Number(text) : -1);
};

export const CLUSTER_HANDLERS: Readonly<Record<string, Handler>> = {
  'cluster|info': asOneNode(info),
  'cluster|myid': asOneNode(myId),
  'cluster|myshardid': asOneNode(myShardId),
  'cluster|nodes': asOneNode(nodes),
  'cluster|shards': asOneNode(shards),
  'cluster|slots': asOneNode(slots),
  'cluster|keyslot': keySlot,
  'cluster|countkeysinslot': ofSlot,
  'cluster|getkeysinslot': ofSlot,
};
