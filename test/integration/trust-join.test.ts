/**
 * Joining as it is meant to be wired: an HTTPS server that asks for certificates, a store, and machines that know
 * nothing but a token. Everything real but the routes.
 */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, request as httpsRequest, type RequestOptions } from 'node:https';
import { describe, it, type TestContext } from 'node:test';
import type { TLSSocket } from 'node:tls';
import {
  type ErrorDocument,
  fromErrorDocument,
  httpStatusOf,
  toErrorDocument,
  ValkeeperError,
} from '../../src/domain/errors.ts';
import { openMemoryStore } from '../../src/store/memory.ts';
import type { Expectation, Store } from '../../src/store/store.ts';
import { readRequest } from '../../src/trust/authority.ts';
import { clockError, timeInDateHeader } from '../../src/trust/clock-offset.ts';
import { type Credentials, clientOptions, joiningOptions, serverOptions } from '../../src/trust/credentials.ts';
import { decideJoin, type JoinedMachine } from '../../src/trust/join.ts';
import { createJoinToken, type JoinTokenRecord, judgeJoinToken, parseJoinToken } from '../../src/trust/join-token.ts';
import { checkPeer, refusalOf } from '../../src/trust/peer.ts';
import { peerError } from '../../src/trust/peer-error.ts';
import { fetchAuthority } from '../../src/trust/pinned.ts';
import { acceptReply, createRequest, type KeyAndRequest, type Reply } from '../../src/trust/request.ts';
import { valkeeperError } from '../support/errors.ts';
import { CONTROL, LOCALHOST, machine, type TestAuthority, testAuthority } from '../support/trust.ts';

const HOUR_MS = 3_600_000;
const TRIES = 3;

interface JoinBody {
  token: string;
  name: string;
  request: string;
}

/** The control plane's side. */
class Door {
  readonly authority: TestAuthority;
  readonly store: Store = openMemoryStore();
  port = 0;
  /** What its clock is ahead of ours. */
  aheadMs = 0;

  constructor(authority: TestAuthority) {
    this.authority = authority;
  }

  now(): number {
    return Date.now() + this.aheadMs;
  }

  async token(ttlMs = HOUR_MS): Promise<string> {
    const { text, record } = createJoinToken({ ttlMs, now: this.now(), fingerprint: this.authority.fingerprint });
    await this.store.commit([{ put: `token/${record.id}`, value: record, expect: 'absent' }]);
    return text;
  }

  async join({ token: text, name, request: pem }: JoinBody): Promise<Reply> {
    const request = await readRequest(pem);
    const { keyId } = request;
    for (let tries = 1; ; tries += 1) {
      const token = parseJoinToken(text);
      const record = token && (await this.store.get<JoinTokenRecord>(`token/${token.id}`));
      const joined = await this.store.get<JoinedMachine>(`machine/${name}`);
      const now = this.now();
      const outcome = judgeJoinToken(token, record?.value, { machine: name, keyId, now });
      const decision = decideJoin(outcome, joined?.value, { name, keyId, now });
      if (!decision.admitted) throw decision.error;
      const expect: Expectation = joined?.revision ?? 'absent';
      const committed = await this.store.commit([
        { put: `token/${decision.token.id}`, value: decision.token, expect: record!.revision },
        { put: `machine/${name}`, value: decision.joined, expect },
      ]);
      if (committed.ok) break;
      assert.ok(tries < TRIES, `${committed.conflict} changes all the time`);
    }
    return this.#issue(request, name);
  }

  /** The name is that of the present certificate, whatever the request says. */
  async renew(socket: TLSSocket, pem: string): Promise<Reply> {
    const peer = checkPeer(socket, { kind: 'machine' }, this.now());
    if (!peer.accepted) throw peerError(peer.refusal, 'The agent', this.now());
    assert.ok(peer.identity.kind === 'machine');
    return this.#issue(await readRequest(pem), peer.identity.name);
  }

  async #issue(request: Awaited<ReturnType<typeof readRequest>>, name: string): Promise<Reply> {
    const order = { request, identity: machine(name), addresses: [LOCALHOST], now: this.now() };
    const { certificate } = await this.authority.issue(order);
    return { certificate, bundle: [this.authority.certificate] };
  }
}

async function openDoor(t: TestContext, wish: { credentials?: Credentials } = {}): Promise<Door> {
  const door = new Door(await testAuthority());
  const credentials = wish.credentials ?? (await door.authority.credentials(CONTROL));
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    response.setHeader('date', new Date(door.now()).toUTCString());
    try {
      const text = (await request.toArray()).join('');
      const reply =
        request.url === '/renew'
          ? await door.renew(request.socket as TLSSocket, text)
          : await door.join(JSON.parse(text) as JoinBody);
      response.end(JSON.stringify(reply));
    } catch (error) {
      const document = toErrorDocument(error);
      response.writeHead(httpStatusOf(document)).end(JSON.stringify(document));
    }
  };
  const server = createServer(serverOptions(credentials), (request, response) => void answer(request, response));
  server.listen(0, LOCALHOST);
  await once(server, 'listening');
  t.after(() => server.close());
  door.port = (server.address() as { port: number }).port;
  return door;
}

/** @throws what the other side answered, as its error */
async function ask(
  path: string,
  port: number,
  body: string,
  options: RequestOptions,
): Promise<{ reply: Reply; date: string }> {
  const question = httpsRequest({ host: LOCALHOST, port, path, method: 'POST', agent: false, ...options });
  question.end(body);
  const [answer] = (await once(question, 'response')) as [IncomingMessage];
  const text = (await answer.toArray()).join('');
  if (answer.statusCode !== 200) throw fromErrorDocument(JSON.parse(text) as ErrorDocument);
  return { reply: JSON.parse(text) as Reply, date: answer.headers.date! };
}

/** A machine's side: nothing is known but the token. */
async function join(port: number, token: string, name: string, asked: KeyAndRequest): Promise<Credentials> {
  const fingerprint = parseJoinToken(token)!.fingerprint;
  const authority = await fetchAuthority({ host: LOCALHOST, port, fingerprint, timeoutMs: 5_000 });
  const body = JSON.stringify({ token, name, request: asked.request });
  const expected = { kind: 'control' } as const;
  const { reply } = await ask('/join', port, body, joiningOptions(authority)).catch((error: Error) => {
    const refusal = error instanceof ValkeeperError ? null : refusalOf(error, expected);
    throw refusal === null ? error : peerError(refusal, 'The control plane', Date.now());
  });
  return acceptReply(asked.key, reply, machine(name), Date.now());
}

describe('a machine', () => {
  it('joins with a token, and renews its certificate with the one it has', async (t) => {
    const door = await openDoor(t);
    const credentials = await join(door.port, await door.token(), 'alpha', createRequest(machine('alpha')));
    const renewal = createRequest(machine('alpha'));
    const { reply } = await ask('/renew', door.port, renewal.request, clientOptions(credentials, { kind: 'control' }));
    const renewed = acceptReply(renewal.key, reply, machine('alpha'), Date.now());
    const serialOf = ({ certificate }: Credentials): string => new X509Certificate(certificate).serialNumber;
    assert.notEqual(serialOf(renewed), serialOf(credentials));
    const next = createRequest(machine('alpha'));
    assert.ok(
      (await ask('/renew', door.port, next.request, clientOptions(renewed, { kind: 'control' }))).reply.certificate,
    );
  });

  it('whose answer was lost joins again with the same request', async (t) => {
    const door = await openDoor(t);
    const [token, asked] = [await door.token(), createRequest(machine('alpha'))];
    await join(door.port, token, 'alpha', asked);
    const again = await join(door.port, token, 'alpha', asked);
    assert.ok(
      (
        await ask(
          '/renew',
          door.port,
          createRequest(machine('alpha')).request,
          clientOptions(again, { kind: 'control' }),
        )
      ).reply,
    );
  });

  it('cannot renew for another, without a certificate, with an expired one, or one of another authority', async (t) => {
    const door = await openDoor(t);
    const alpha = await join(door.port, await door.token(), 'alpha', createRequest(machine('alpha')));
    const renew = (name: string, options: RequestOptions) =>
      ask('/renew', door.port, createRequest(machine(name)).request, options);
    const by = (credentials: Credentials) =>
      clientOptions({ ...credentials, bundle: alpha.bundle }, { kind: 'control' });
    await assert.rejects(
      renew('beta', by(alpha)),
      valkeeperError('certificate_request_invalid', /for beta, not for alpha/),
    );
    await assert.rejects(
      renew('alpha', joiningOptions(door.authority.certificate)),
      valkeeperError('peer_no_certificate'),
    );
    const stranger = await (await testAuthority()).credentials(machine('alpha'));
    await assert.rejects(renew('alpha', by(stranger)), valkeeperError('peer_wrong_authority'));
    await assert.rejects(
      renew('alpha', by(await door.authority.credentials(CONTROL))),
      valkeeperError('peer_another_kind'),
    );
    const short = await door.authority.credentials(machine('alpha'), { now: Date.now() - 1_500, validityMs: 2_000 });
    door.aheadMs = HOUR_MS; // by the clock of the control plane it has expired
    await assert.rejects(renew('alpha', by(short)), valkeeperError('peer_expired'));
  });
});

describe('joining is refused', () => {
  it('with a token that was used, has expired, is unknown or is none', async (t) => {
    const door = await openDoor(t);
    const token = await door.token();
    await join(door.port, token, 'alpha', createRequest(machine('alpha')));
    const joinAs = (name: string, by: string) => join(door.port, by, name, createRequest(machine(name)));
    await assert.rejects(joinAs('beta', token), valkeeperError('join_token_used', /by the machine alpha/));
    await assert.rejects(joinAs('alpha', token), valkeeperError('join_token_used'), 'a new key is another machine');
    const old = await door.token(1_000);
    door.aheadMs = 2_000;
    await assert.rejects(joinAs('beta', old), valkeeperError('join_token_expired'));
    const { fingerprint } = door.authority;
    const { text: foreign } = createJoinToken({ ttlMs: HOUR_MS, now: Date.now(), fingerprint });
    await assert.rejects(joinAs('beta', foreign), valkeeperError('join_token_unknown'));
    const nonsense = JSON.stringify({ token: 'x', name: 'beta', request: createRequest(machine('beta')).request });
    const asked = ask('/join', door.port, nonsense, joiningOptions(door.authority.certificate));
    await assert.rejects(asked, valkeeperError('join_token_malformed'));
    assert.deepEqual(
      (await door.store.list('machine/')).map(({ key }) => key),
      ['machine/alpha'],
      'nothing was changed',
    );
  });

  it('to one of two machines that use one token, or one name, at the same time', async (t) => {
    const door = await openDoor(t);
    const token = await door.token();
    const attempt = async (by: string, name: string): Promise<string> =>
      join(door.port, by, name, createRequest(machine(name))).then(
        () => 'joined',
        (error: unknown) => (error instanceof ValkeeperError ? error.code : String(error)),
      );
    const outcomes = await Promise.all([attempt(token, 'alpha'), attempt(token, 'beta')]);
    assert.deepEqual(outcomes.sort(), ['join_token_used', 'joined']);
    const [one, other] = [await door.token(), await door.token()];
    const named = await Promise.all([attempt(one, 'gamma'), attempt(other, 'gamma')]);
    assert.deepEqual(named.sort(), ['joined', 'machine_name_taken']);
    assert.equal((await door.store.list('machine/')).length, 2);
  });

  it('by the machine itself, when what answers is not the control plane of the token', async (t) => {
    const [door, other] = [await openDoor(t), await openDoor(t)];
    const alpha = createRequest(machine('alpha'));
    const wrong = valkeeperError('wrong_control_plane', new RegExp(door.authority.fingerprint));
    await assert.rejects(join(other.port, await door.token(), 'alpha', alpha), wrong);
    // A machine of the fleet that sits at the address, and can show the authority: it is not the control plane.
    const posing = await openDoor(t, { credentials: await door.authority.credentials(machine('mallory')) });
    await assert.rejects(
      join(posing.port, await door.token(), 'alpha', alpha),
      valkeeperError('peer_another_kind', /mallory/),
    );
    // Somebody who shows the authority without having a certificate of it.
    const stranger = await (await testAuthority()).credentials(CONTROL);
    const copying = { ...stranger, certificate: `${stranger.certificate}${door.authority.certificate}` };
    const forged = await openDoor(t, { credentials: copying });
    await assert.rejects(join(forged.port, await door.token(), 'alpha', alpha), (error) =>
      [valkeeperError('peer_wrong_authority'), valkeeperError('wrong_control_plane')].some((matches) => matches(error)),
    );
  });

  it('with a clear word when the clocks are an hour apart', async (t) => {
    const door = await openDoor(t);
    door.aheadMs = HOUR_MS;
    const asked = createRequest(machine('alpha'));
    const unfit = valkeeperError('certificate_unfit', /not valid yet/);
    await assert.rejects(join(door.port, await door.token(), 'alpha', asked), unfit);
    const body = JSON.stringify({
      token: await door.token(),
      name: 'beta',
      request: createRequest(machine('beta')).request,
    });
    const askedAt = Date.now();
    const { date } = await ask('/join', door.port, body, joiningOptions(door.authority.certificate));
    const error = clockError('The control plane', { theirs: timeInDateHeader(date)!, askedAt, answeredAt: Date.now() });
    assert.ok(valkeeperError('clock_off', /(59 min|1 h).* ahead of/)(error));
  });
});
