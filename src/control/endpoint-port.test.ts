import assert from 'node:assert/strict';
import { test } from 'node:test';
import { databaseOn, fleet } from '../../test/support/worlds.ts';
import { ValkeeperError } from '../domain/errors.ts';
import { ANY_PORT } from '../domain/spec.ts';
import { systemClock } from '../platform/clock.ts';
import type { AgentRequests, FromAgent, Hello, Request } from '../protocol/agent-messages.ts';
import { Agents } from './agents.ts';
import { endpointPort } from './endpoint-port.ts';
import { Endpoints } from './endpoints.ts';

/** Agents of two machines that answer at once: what they are asked, and the ports that are taken there. */
function agentsWith(taken: Record<string, number[]>) {
  const agents = new Agents(systemClock);
  const asked: { machine: string; request: Request }[] = [];
  for (const machine of Object.keys(taken)) {
    const session = agents.welcome(
      {
        send: (text: unknown) => {
          const request = JSON.parse(String(text)) as Request;
          asked.push({ machine, request });
          const { ports = [] } = request.args as { ports?: number[] };
          const result = { taken: ports.filter((port) => taken[machine]!.includes(port)) };
          const reply: FromAgent = { type: 'reply', id: request.id, result };
          setImmediate(() => session.answered(reply));
        },
        close: () => {},
      },
      { machine, address: '127.0.0.1', zone: 'z', memoryBytes: 1, nodes: [], endpoint: null } as unknown as Hello,
    );
  }
  return { agents, asked };
}

const refusedBy = (owner: RegExp) => (error: unknown) =>
  error instanceof ValkeeperError && error.code === 'endpoint_port_taken' && owner.test(error.message);

test('the first port from 6379 upward that is free everywhere and nobody else has', async () => {
  const { agents } = agentsWith({ 'machine-1': [6379], 'machine-2': [6380] });
  const other = databaseOn(fleet(2), { shards: 1, port: 6381 });
  const nodes = other.nodes.map((node, index) => ({ ...node, port: 6382 + index }));
  const databases = [{ ...other, name: 'other', nodes }];
  assert.equal(await endpointPort(agents, databases, ANY_PORT), 6384);
  const crowded = agentsWith({ 'machine-1': Array.from({ length: 40 }, (_, index) => 6379 + index) });
  assert.equal(await endpointPort(crowded.agents, [], ANY_PORT), 6419);
});

test('a port that is asked for is given, or refused with its owner', async () => {
  const { agents } = agentsWith({ 'machine-1': [], 'machine-2': [7500] });
  const other = { ...databaseOn(fleet(2), { shards: 1, port: 6379 }), name: 'other' };
  assert.equal(await endpointPort(agents, [other], 6400), 6400);
  await assert.rejects(endpointPort(agents, [other], 6379), refusedBy(/the database other has it/));
  await assert.rejects(endpointPort(agents, [other], 7000), refusedBy(/a node of other on machine-1/));
  await assert.rejects(endpointPort(agents, [other], 17_001), refusedBy(/a node of other/), 'its bus port');
  await assert.rejects(endpointPort(agents, [other], 7500), refusedBy(/another process at 127.0.0.1 on machine-2/));
  assert.equal(await endpointPort(agents, [other], 6379, other), 6379, 'its own');
});

test('every agent is told what to serve once, again when it changes, and anew when it comes back', async (t) => {
  const { agents, asked } = agentsWith({ 'machine-1': [], 'machine-2': [] });
  let databases = [databaseOn(fleet(2), { shards: 1, port: 6379, users: [] })];
  const log = { warn: () => assert.fail('nothing goes wrong') } as never;
  const endpoints = new Endpoints({ agents, clock: systemClock, log, databases: () => databases });
  t.after(() => endpoints.close());
  const told = async (): Promise<string[]> => {
    asked.length = 0;
    endpoints.changed();
    endpoints.changed();
    await systemClock.sleep(60);
    return asked.map(({ machine, request }) => `${machine} ${request.operation}`);
  };
  assert.deepEqual(await told(), ['machine-1 serve_endpoint', 'machine-2 serve_endpoint']);
  const { databases: served } = asked[0]!.request.args as AgentRequests['serve_endpoint']['args'];
  assert.deepEqual(
    [served[0]!.name, served[0]!.port, served[0]!.read, served[0]!.users],
    [
      'test',
      6379,
      'primary',
      [{ name: 'default', passwordSha256: '148de9c5a7a44d19e56cd9ae1a554bf67847afb0c58f6e12fa29ac7ddfca9940' }],
    ],
  );
  assert.deepEqual(await told(), [], 'nothing new');
  endpoints.forget('machine-2');
  assert.deepEqual(await told(), ['machine-2 serve_endpoint']);
  databases = databases.map((database) => ({ ...database, deleting: true }));
  assert.deepEqual(await told(), ['machine-1 serve_endpoint', 'machine-2 serve_endpoint']);
  asked.length = 0;
  endpoints.nudge('uid');
  assert.deepEqual(
    asked.map(({ machine, request }) => `${machine} ${request.operation}`),
    ['machine-1 nudge_endpoint', 'machine-2 nudge_endpoint'],
  );
  asked.length = 0;
  const pace = { database: 'uid', slots: [[0, 9]] as const, bytesPerSecond: 1_000 };
  endpoints.pace(pace);
  assert.deepEqual(
    asked.map(({ machine, request: { operation, args } }) => [machine, operation, args]),
    ['machine-1', 'machine-2'].map((machine) => [machine, 'pace_endpoint', pace]),
  );
});
