/** What machines are refused that come over TLS: a clear word there, an event here, and nothing is changed. */
import assert from 'node:assert/strict';
import type { RequestOptions } from 'node:https';
import { describe, it } from 'node:test';
import WebSocket, { type ClientOptions } from 'ws';
import { AGENT_PATH, AGENT_PROTOCOL } from '../../src/protocol/agent-messages.ts';
import { JOIN_PATH, RENEW_PATH } from '../../src/protocol/join-messages.ts';
import { MachineCredentials } from '../../src/trust/credential-files.ts';
import { type Credentials, clientOptions } from '../../src/trust/credentials.ts';
import { createRequest } from '../../src/trust/request.ts';
import { Door, until } from '../support/door.ts';
import { valkeeperError } from '../support/errors.ts';
import { machine, testAuthority } from '../support/trust.ts';

const HOUR_MS = 3_600_000;
const CONTROL = { kind: 'control' } as const;

describe('joining', () => {
  it('is granted once by a token, to the name that it is for, and repeated for who lost the answer', async (t) => {
    const door = await Door.open(t);
    const token = await door.token({ machine: 'alpha' });
    await assert.rejects(door.join('beta', { token }), valkeeperError('join_token_for_another', /alpha, not for beta/));
    const { key } = createRequest(machine('alpha'));
    await door.join('alpha', { token, key });
    await door.join('alpha', { token, key });
    await assert.rejects(door.join('alpha', { token }), valkeeperError('join_token_used'));
    await door.event('join_refused', /wanted to join as beta was refused: The join token is for the machine alpha/);
    await door.event('join_refused', /wanted to join as alpha was refused: The join token was used/);
    await door.event('machine_joined', /^alpha has joined with the token [0-9a-f]{16}, at 127\./);
    assert.deepEqual(door.names(), ['alpha']);
    assert.deepEqual(
      (await door.plane.joinTokens.list()).tokens.map(({ state }) => state),
      ['used'],
    );
  });

  it('is refused with a token that has expired, was taken back, or is of another fleet', async (t) => {
    const door = await Door.open(t);
    const short = await door.token({ ttlSeconds: 1 });
    const [revoked, foreign] = [await door.token(), await (await Door.open(t)).token()];
    await door.plane.joinTokens.revoke(revoked.split('.')[1]!);
    await assert.rejects(door.join('alpha', { token: revoked }), valkeeperError('join_token_unknown'));
    await assert.rejects(door.join('alpha', { token: foreign }), valkeeperError('wrong_control_plane'));
    await until('the token has expired', async () => {
      const { tokens } = await door.plane.joinTokens.list();
      return tokens.some(({ state }) => state === 'expired') || null;
    });
    await assert.rejects(door.join('alpha', { token: short }), valkeeperError('join_token_expired'));
    await door.event('join_refused', /The join token expired/);
    await door.event('join_refused', /does not know this join token/);
    await assert.rejects(door.plane.joinTokens.revoke('no-such'), valkeeperError('join_token_not_found'));
    assert.deepEqual(door.names(), []);
  });

  it('is refused under a name or an address that another machine has', async (t) => {
    const door = await Door.open(t);
    await door.join('alpha', { address: '127.77.0.1' });
    await assert.rejects(door.join('alpha'), valkeeperError('machine_name_taken', /alpha/));
    const token = await door.token();
    const taken = valkeeperError('address_taken', /127\.77\.0\.1 is that of the machine alpha/);
    await assert.rejects(door.join('beta', { token, address: '127.77.0.1' }), taken);
    await door.event('join_refused', /Another machine has joined as alpha/);
    await door.event('join_refused', /beta was refused: The address 127\.77\.0\.1/);
    assert.deepEqual(door.names(), ['alpha']);
    await door.join('beta', { token, address: '127.77.0.2' });
  });

  it('is refused by a clock that is an hour off, on both sides, and the token stays fresh', async (t) => {
    for (const [aheadMs, direction] of [
      [HOUR_MS, 'behind'],
      [-HOUR_MS, 'ahead of'],
    ] as const) {
      const door = await Door.open(t, { aheadMs });
      // With the control plane ahead, its certificate is not valid yet here, and nothing is sent: it hears nothing.
      const error = valkeeperError('clock_off', /^The control plane at https:\S+ has a clock that is (59 min|1 h)/);
      await assert.rejects(door.join('alpha'), error);
      if (aheadMs < 0)
        await door.event('join_refused', new RegExp(`alpha has a clock that is .* ${direction} the one`));
      assert.deepEqual(
        (await door.plane.joinTokens.list()).tokens.map(({ state }) => state),
        ['fresh'],
      );
      assert.deepEqual(door.names(), []);
    }
  });

  it('of an agent of another version, or in words that are none, changes nothing', async (t) => {
    const door = await Door.open(t);
    const good = {
      ...{ protocol: AGENT_PROTOCOL, token: await door.token(), name: 'alpha', zone: 'z', labels: {}, now: Date.now() },
      ...{ request: createRequest(machine('alpha')).request, address: '127.77.0.1', memoryBytes: 2 ** 28 },
    };
    const attempts: [unknown, number, string][] = [
      [{ ...good, protocol: AGENT_PROTOCOL + 1 }, 409, 'other_protocol'],
      [{ protocol: AGENT_PROTOCOL - 1 }, 409, 'other_protocol'],
      [null, 400, 'invalid_value'],
      [[], 400, 'invalid_value'],
      [{ ...good, name: 'URI:valkeeper://control' }, 400, 'invalid_name'],
      [{ ...good, name: undefined }, 400, 'invalid_value'],
      [{ ...good, address: 'alpha' }, 400, 'invalid_value'],
      [{ ...good, address: '0.0.0.0' }, 400, 'invalid_value'],
      [{ ...good, address: '224.0.0.1' }, 400, 'invalid_value'],
      [{ ...good, memoryBytes: -1 }, 400, 'invalid_value'],
      [{ ...good, labels: { 'no label': 'x' } }, 400, 'invalid_value'],
      [{ ...good, zone: 'no zone' }, 400, 'invalid_value'],
      [{ ...good, token: 'valkeeper1.x' }, 400, 'join_token_malformed'],
      [{ ...good, request: 'nonsense' }, 400, 'certificate_request_invalid'],
      [{ ...good, request: createRequest(machine('beta')).request }, 400, 'certificate_request_invalid'],
      [{ ...good, request: 'x'.repeat(40_000) }, 413, 'body_too_large'],
    ];
    for (const [body, status, code] of attempts) {
      const { status: found, answer } = await door.ask(JOIN_PATH, JSON.stringify(body));
      assert.deepEqual([found, answer.code], [status, code], JSON.stringify(body).slice(0, 200));
    }
    assert.equal((await door.ask(JOIN_PATH, '{"half')).answer.code, 'invalid_value');
    assert.equal((await door.ask(JOIN_PATH, '', { method: 'GET' })).answer.code, 'method_not_allowed');
    assert.equal((await door.ask(RENEW_PATH, '{}')).answer.code, 'peer_no_certificate');
    await door.event(
      'join_refused',
      new RegExp(`speaks protocol ${AGENT_PROTOCOL + 1}, the control plane ${AGENT_PROTOCOL}`),
    );
    assert.deepEqual(door.names(), []);
    assert.equal((await door.ask(JOIN_PATH, JSON.stringify(good))).status, 200, 'and without a mistake it is granted');
  });
});

/** Says hello, and what comes of it: a welcome, the code of a refusal, or the status of an answer before that. */
async function hello(door: Door, credentials: Credentials | null, change: object): Promise<string | number> {
  const options: ClientOptions =
    credentials === null
      ? { rejectUnauthorized: false }
      : (clientOptions({ ...credentials, bundle: door.credentials.current.bundle }, CONTROL) as object);
  const socket = new WebSocket(door.url.replace('https', 'wss') + AGENT_PATH, options);
  const told = Promise.withResolvers<string | number>();
  socket.on('unexpected-response', (request, { statusCode }) => {
    told.resolve(statusCode!);
    request.destroy();
  });
  socket.on('error', () => {}); // of the request that was ended
  socket.on('open', () => {
    const said = {
      ...{ type: 'hello', protocol: AGENT_PROTOCOL, machine: 'alpha', address: '127.77.0.1', zone: 'z' },
      ...{ memoryBytes: 2 ** 28, pid: 1, instance: 'test', engineVersion: '9.1.2', certificate: null, nodes: [] },
    };
    socket.send(JSON.stringify({ ...said, endpoint: null, neighbourPort: null, ...change }));
  });
  socket.on('message', (data) => {
    const { type, error } = JSON.parse(String(data)) as { type: string; error?: { code: string } };
    told.resolve(error?.code ?? type);
  });
  socket.on('close', (code) => told.resolve(code));
  const outcome = await told.promise;
  const closed = Promise.withResolvers<void>();
  socket.on('close', () => closed.resolve());
  socket.terminate();
  if (socket.readyState !== WebSocket.CLOSED) await closed.promise;
  return outcome;
}

describe('an agent', () => {
  it('is let in with the certificate of its machine, and in no other name', async (t) => {
    const door = await Door.open(t);
    const alpha = await door.join('alpha', { address: '127.77.0.1' });
    const beta = await door.join('beta', { address: '127.77.0.2' });
    assert.equal(await hello(door, alpha, {}), 'welcome');
    assert.equal(await hello(door, beta, {}), 'peer_another_name');
    assert.equal(await hello(door, beta, { machine: 'beta' }), 'address_taken');
    assert.equal(await hello(door, beta, { machine: 'beta', address: '127.77.0.2' }), 'welcome');
    assert.equal(await hello(door, null, {}), 401, 'no certificate');
    const stranger = await (await testAuthority()).credentials(machine('alpha'));
    assert.equal(await hello(door, stranger, {}), 401, 'one of another authority');
    assert.equal(await hello(door, door.credentials.current, {}), 401, 'that of a control plane');
    assert.equal(await hello(door, alpha, { protocol: AGENT_PROTOCOL + 1 }), 1008);
    assert.equal(await hello(door, alpha, { nodes: [null] }), 1007);
    assert.equal(await hello(door, alpha, { type: 'surprise' }), 1007);
    await door.event('agent_turned_away', /An agent at 127\.0\.0\.1 is turned away: .* showed no certificate/);
    await door.event('agent_turned_away', /is not from an authority that is believed here/);
    await door.event('agent_turned_away', /alpha is turned away: .* its certificate is of the machine beta/);
    await door.event('agent_turned_away', new RegExp(`it speaks protocol ${AGENT_PROTOCOL + 1}`));
    assert.equal(await hello(door, alpha, {}), 'welcome', 'and it still is');
  });

  it('that was taken out is let in no more; a new token makes it a machine again, and the old key is none', async (t) => {
    const door = await Door.open(t);
    const old = await door.join('alpha', { address: '127.77.0.1' });
    await door.plane.fleet.remove('alpha');
    assert.equal(await hello(door, old, {}), 'machine_removed');
    const renewal = JSON.stringify({ request: createRequest(machine('alpha')).request });
    const shown = (credentials: Credentials) => clientOptions(credentials, CONTROL) as RequestOptions;
    assert.equal((await door.ask(RENEW_PATH, renewal, shown(old))).answer.code, 'machine_removed');
    const anew = await door.join('alpha', { address: '127.77.0.1' });
    assert.equal(await hello(door, anew, {}), 'welcome');
    assert.equal(await hello(door, old, {}), 'machine_not_joined');
    assert.equal((await door.ask(RENEW_PATH, renewal, shown(old))).answer.code, 'machine_not_joined');
    await door.event('join_refused', /^alpha, which wanted to renew its certificate, was refused/);
  });

  it('that answers keeps its place against a second one with its certificate, which is told so', async (t) => {
    const door = await Door.open(t);
    const first = await door.agent('alpha');
    const { since } = await until('it is connected', () => door.agents.machines().find((one) => one.connected) ?? null);
    const copied = new MachineCredentials(first.files).current;
    assert.equal(await hello(door, copied, { address: '127.77.5.98' }), 'machine_connected_already');
    await door.event('agent_turned_away', /alpha is turned away: Another agent is connected as alpha, and answers/);
    assert.equal(door.agents.machines().find(({ name }) => name === 'alpha')?.since, since, 'the first one stays');
    await first.agent.close();
    await until('it is gone', () => door.agents.machines().every(({ connected }) => !connected) || null);
    await first.start();
    await until('it is back', () => door.agents.machines().find((one) => one.connected) ?? null);
  });
});
