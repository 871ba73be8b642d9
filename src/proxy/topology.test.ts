/** Which nodes are asked for the slot map. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EndpointDatabase } from '../protocol/endpoint-messages.ts';
import { SlotMap } from './slot-map.ts';
import { Topology } from './topology.ts';

/** A look goes on so long after it was asked for; the first steps of it are some 100 ms. */
const LOOKED_MS = 150;
const idOf = (number: number): string => `${number}`.padStart(40, '0');

it('asks the nodes that are there, and not those that were there before, at the same address or another', async () => {
  const looks: number[] = [];
  let owner = idOf(0);
  const bulk = (text: string): string => `$${text.length}\r\n${text}\r\n`;
  const server = createServer((socket) => {
    socket.on('data', (bytes) => {
      for (const [command] of bytes.toString('latin1').matchAll(/AUTH|INFO|NODES/g)) {
        if (command === 'AUTH') socket.write('+OK\r\n');
        if (command === 'INFO') socket.write(bulk('valkey_version:9.1.2\r\n'));
        if (command !== 'NODES') continue;
        looks.push(performance.now());
        socket.write(bulk(`${owner} 127.0.0.1:${port}@1 myself,master - 0 0 ${Number(owner)} connected 0-16383\n`));
      }
    });
    socket.on('error', () => {});
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const database = (id: string): EndpointDatabase => ({
    ...{ name: 'main', uid: 'uid', port: 1, users: [], adminPassword: 'secret', read: 'primary', acknowledgements: 0 },
    ...{ tls: 'optional', nodes: [{ id, machine: 'machine-1', host: '127.0.0.1', port, tls: false, zone: '' }] },
  });
  const events = { changed: () => {}, isUsed: () => false, readsReplicas: () => false };
  const topology = new Topology(database(owner), new SlotMap(), () => null, events);
  try {
    await sleep(LOOKED_MS);
    const alone = looks.length;
    assert.ok(alone > 0);
    for (let number = 1; number <= 10; number += 1) {
      owner = idOf(number);
      topology.update(database(owner));
      await sleep(LOOKED_MS);
    }
    looks.length = 0;
    topology.look();
    await sleep(LOOKED_MS);
    assert.ok(looks.length <= 2 * alone, `${looks.length} questions instead of some ${alone}`);
  } finally {
    topology.close();
    server.close();
  }
});
