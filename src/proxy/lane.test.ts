import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { it } from 'node:test';
import { Lane } from './lane.ts';
import { SlotMap } from './slot-map.ts';

it('does not write over a connection that is still there while replicas are not known to acknowledge', async (t) => {
  const server = createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const map = new SlotMap();
  const { index } = map.place('a'.repeat(40), '127.0.0.1', (server.address() as AddressInfo).port, null);
  let isOpen = true;
  const acknowledging = {
    ...{ count: 1, command: Buffer.alloc(0), shut: () => {} },
    ...{ reached: async () => true, reachedBySuccessor: async () => true },
    isOpen: () => isOpen,
  };
  const events = { nodeReady: () => {}, nodeLost: () => {}, push: () => {} };
  const identity = { user: 'default', password: null, db: 0, resp: 2 } as const;
  const lane = new Lane(identity, map, events, () => null, { acknowledging });
  t.after(() => lane.close());
  const upstream = lane.toPrimary(index);
  assert.ok(upstream);
  isOpen = false; // it was replaced, and is primary again
  assert.equal(lane.toPrimary(index), null);
  isOpen = true;
  assert.equal(lane.toPrimary(index), upstream);
});
