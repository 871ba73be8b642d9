/** Neighbours and doors over real sockets, plain and with mutual TLS. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { valkeeperError } from '../../test/support/errors.ts';
import { tempDir } from '../../test/support/temp-dir.ts';
import {
  CONTROL,
  LOCALHOST,
  machine,
  type TestAuthority,
  testAuthority,
  writeTlsFiles,
} from '../../test/support/trust.ts';
import type { Voter, VoterList } from '../domain/roster.ts';
import { createLogger } from '../platform/log.ts';
import type { Answer, Question } from '../protocol/neighbour-messages.ts';
import { ANSWER_MS } from '../quorum/times.ts';
import { MachineCredentials } from '../trust/credential-files.ts';
import { type DoorOptions, NeighbourDoor } from './neighbour-door.ts';
import { MOST_WAITING } from './neighbour-line.ts';
import { Neighbours, type NeighboursOptions } from './neighbours.ts';
import { Roster } from './roster.ts';

const TOKEN = 'token-of-the-test';
const LEASE: Question = { ask: 'lease', machine: 'a' };
const { log } = createLogger({ name: 'test', file: '/dev/null', level: 'error' });

const voterAt = (port: number, name = 'b'): Voter => ({ machine: name, address: LOCALHOST, port, leased: true });

/** What the machine with this name shows and believes. */
async function credentialsOf(t: TestContext, authority: TestAuthority, identity = machine('a')) {
  return new MachineCredentials(writeTlsFiles(tempDir(t), await authority.credentials(identity)));
}

async function asker(t: TestContext, change: Partial<NeighboursOptions> = {}) {
  const roster = await Roster.open(tempDir(t));
  const neighbours = new Neighbours({ roster, credentials: null, token: TOKEN, log, ...change });
  t.after(() => neighbours.close());
  return { roster, neighbours };
}

type Asked = { question: Question; from: string | null };

/** The door of machine `b`; it grants whatever it is asked unless told otherwise. */
async function door(t: TestContext, change: Partial<DoorOptions> = {}) {
  const roster = await Roster.open(tempDir(t));
  const asked: Asked[] = [];
  const options: DoorOptions = {
    ...{ dir: tempDir(t), machine: 'b', address: LOCALHOST, port: 0, credentials: null, token: TOKEN, roster, log },
    handle: (question, from) => {
      asked.push({ question, from });
      return { kind: 'granted', claimed: [] };
    },
    ...change,
  };
  const opened = await NeighbourDoor.open(options);
  t.after(() => opened.close());
  return { roster, asked, options, door: opened };
}

/** A listener that is not an agent's; `onSocket` is called with each connection. */
async function stranger(t: TestContext, onSocket: (socket: Socket) => void = () => {}) {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    onSocket(socket);
  });
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  server.listen(0, LOCALHOST);
  await once(server, 'listening');
  return { port: (server.address() as { port: number }).port, server, sockets };
}

const GRANTED: Answer = { kind: 'granted', claimed: [] };
const listOf = (version: number, ...voters: Voter[]): VoterList => ({ version, voters });

describe('a neighbour', () => {
  it('answers, over one connection that is kept', async (t) => {
    const { neighbours } = await asker(t);
    const { asked, door: b } = await door(t);
    const before = performance.now();
    const both = await Promise.all([neighbours.ask(voterAt(b.port), LEASE), neighbours.ask(voterAt(b.port), LEASE)]);
    both.push(await neighbours.ask(voterAt(b.port), LEASE));
    for (const heard of both) {
      assert.ok(heard.how === 'answered');
      assert.deepEqual(heard.answer, GRANTED);
      assert.ok(heard.askedAt >= before && heard.askedAt <= performance.now());
    }
    assert.deepEqual(asked, Array(3).fill({ question: LEASE, from: null }));
    assert.equal(b.connections, 1);
  });

  it('is silent in the name of nobody: who lacks the token is not answered', async (t) => {
    const { asked, door: b } = await door(t);
    for (const token of [null, 'another']) {
      const { neighbours } = await asker(t, { token });
      assert.deepEqual(await neighbours.ask(voterAt(b.port), LEASE), { how: 'silent' });
    }
    assert.deepEqual(asked, []);
  });

  it('has refused where nobody listens, as of before the connection was tried', async (t) => {
    const { neighbours } = await asker(t);
    const { port, server } = await stranger(t);
    server.close();
    await once(server, 'close');
    const before = performance.now();
    const heard = await neighbours.ask(voterAt(port), LEASE);
    assert.ok(heard.how === 'refused', heard.how);
    assert.ok(heard.askedAt >= before && heard.askedAt <= performance.now());
  });

  it('has not refused when something else listens there, or its agent hangs', async (t) => {
    const { neighbours } = await asker(t);
    const silent = await stranger(t);
    const begun = performance.now();
    assert.deepEqual(await neighbours.ask(voterAt(silent.port), LEASE), { how: 'silent' });
    assert.ok(performance.now() - begun >= ANSWER_MS - 1);
    const rude = await stranger(t, (socket) => socket.resetAndDestroy());
    assert.deepEqual(await neighbours.ask(voterAt(rude.port, 'c'), LEASE), { how: 'silent' });
    const chatty = await stranger(t, (socket) => socket.end('HTTP/1.1 200 OK\r\n\r\n'));
    assert.deepEqual(await neighbours.ask(voterAt(chatty.port, 'd'), LEASE), { how: 'silent' });
  });

  it('loses the connection over a question that stays unanswered; what else waits is asked again at once', async (t) => {
    const { neighbours } = await asker(t);
    const slow = Promise.withResolvers<Answer>();
    const asked: string[] = [];
    const { door: b } = await door(t, {
      handle: (question) => {
        asked.push(question.ask);
        // Everything is stuck behind the first question, until there is another connection.
        return question.ask === 'moved' || asked.length < 3 ? slow.promise : GRANTED;
      },
    });
    const moved = neighbours.ask(voterAt(b.port), { ask: 'moved', database: 'u' });
    await new Promise((resolve) => setTimeout(resolve, ANSWER_MS / 2));
    const lease = neighbours.ask(voterAt(b.port), LEASE);
    assert.deepEqual(await moved, { how: 'silent' });
    const heard = await lease;
    assert.ok(heard.how === 'answered', heard.how);
    assert.deepEqual(asked, ['moved', 'lease', 'lease']);
    slow.resolve(GRANTED);
  });

  it('is asked no more at one time than it may be', async (t) => {
    const { neighbours } = await asker(t);
    const { port } = await stranger(t);
    const all = Array.from({ length: MOST_WAITING + 1 }, () => neighbours.ask(voterAt(port), LEASE));
    const begun = performance.now();
    assert.deepEqual(await all.at(-1), { how: 'silent' });
    assert.ok(performance.now() - begun < ANSWER_MS / 2);
    assert.equal(await Promise.race([...all.slice(0, -1), 'none of the others']), 'none of the others');
    await Promise.all(all);
  });

  it('that comes back is heard by the next question', async (t) => {
    const { neighbours } = await asker(t);
    const first = await door(t);
    const { port } = first.door;
    assert.equal((await neighbours.ask(voterAt(port), LEASE)).how, 'answered');
    await first.door.close();
    assert.equal((await neighbours.ask(voterAt(port), LEASE)).how, 'refused');
    await door(t, { port });
    assert.equal((await neighbours.ask(voterAt(port), LEASE)).how, 'answered');
  });

  it('is found at its new address', async (t) => {
    const { neighbours } = await asker(t);
    const [here, there] = [await door(t), await door(t)];
    await neighbours.ask(voterAt(here.door.port), LEASE);
    await neighbours.ask(voterAt(there.door.port), LEASE);
    assert.deepEqual([here.asked.length, there.asked.length], [1, 1]);
  });
});

describe('a list of voters', () => {
  it('that is newer is taken over, and the question put again', async (t) => {
    const { neighbours, roster } = await asker(t);
    const { asked, door: b, roster: theirs } = await door(t);
    const list = listOf(4, voterAt(b.port));
    await theirs.setVoters(list);
    const heard = await neighbours.ask(voterAt(b.port), LEASE);
    assert.ok(heard.how === 'answered');
    assert.deepEqual(heard.answer, GRANTED);
    assert.deepEqual(roster.voters, list);
    assert.equal(asked.length, 1);
  });

  it('that is older is not: the question is answered', async (t) => {
    const { neighbours, roster } = await asker(t);
    const { door: b, roster: theirs } = await door(t);
    await roster.setVoters(listOf(4, voterAt(b.port)));
    await theirs.setVoters(listOf(3));
    const heard = await neighbours.ask(voterAt(b.port), LEASE);
    assert.ok(heard.how === 'answered');
    assert.deepEqual(heard.answer, GRANTED);
    assert.equal(roster.voters.version, 4);
    assert.equal(theirs.voters.version, 3);
  });

  it('without a machine ends the connection to it', async (t) => {
    const { neighbours, roster } = await asker(t);
    const { door: b } = await door(t);
    await neighbours.ask(voterAt(b.port), LEASE);
    assert.equal(b.connections, 1);
    await roster.setVoters(listOf(1, voterAt(1, 'c')));
    while (b.connections > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  });
});

describe('with credentials', () => {
  it('machines of the fleet answer each other, and know who asks', async (t) => {
    const authority = await testAuthority();
    const { neighbours } = await asker(t, { credentials: await credentialsOf(t, authority) });
    const { asked, door: b } = await door(t, { credentials: await credentialsOf(t, authority, machine('b')) });
    const heard = await neighbours.ask(voterAt(b.port), LEASE);
    assert.ok(heard.how === 'answered', JSON.stringify(heard));
    assert.deepEqual(heard.answer, GRANTED);
    assert.deepEqual(asked, [{ question: LEASE, from: 'a' }]);
  });

  it('nobody else is let in: no stranger, no control plane, nobody with the token alone', async (t) => {
    const [authority, other] = await Promise.all([testAuthority(), testAuthority()]);
    const { asked, door: b } = await door(t, { credentials: await credentialsOf(t, authority, machine('b')) });
    const stranger = await credentialsOf(t, other);
    const control = await credentialsOf(t, authority, CONTROL);
    for (const credentials of [stranger, control, null]) {
      const { neighbours } = await asker(t, { credentials });
      assert.deepEqual(await neighbours.ask(voterAt(b.port), LEASE), { how: 'silent' });
    }
    assert.deepEqual(asked, []);
  });

  it('the one that answers must be the one that is asked', async (t) => {
    const authority = await testAuthority();
    const { neighbours } = await asker(t, { credentials: await credentialsOf(t, authority) });
    const { asked, door: b } = await door(t, { credentials: await credentialsOf(t, authority, machine('b')) });
    assert.deepEqual(await neighbours.ask(voterAt(b.port, 'c'), LEASE), { how: 'silent' });
    assert.deepEqual(asked, []);
  });
});

describe('a door', () => {
  it('has the same port after a restart, where any would do', async (t) => {
    const first = await door(t);
    await first.door.close();
    const again = await NeighbourDoor.open(first.options);
    assert.equal(again.port, first.door.port);
    await again.close();
    // Somebody took it meanwhile: another will do.
    const thief = createServer().listen(again.port, LOCALHOST);
    await once(thief, 'listening');
    const third = await NeighbourDoor.open(first.options);
    assert.notEqual(third.port, again.port);
    await third.close();
    thief.close();
  });

  it('says which flag helps when its port is taken', async (t) => {
    const { port } = await stranger(t);
    await assert.rejects(door(t, { port }), (error: Error & { hint: string }) => {
      assert.ok(valkeeperError('neighbour_port_unusable', /b cannot listen .* something else listens there/)(error));
      assert.match(error.hint, /--neighbour-port/);
      return true;
    });
  });

  it('is not opened at an address that is not there', async (t) => {
    const expected = valkeeperError('address_not_here', /192\.0\.2\.77: it is no address of this machine/);
    await assert.rejects(door(t, { address: '192.0.2.77' }), expected);
  });

  it('answers with the reason when the answer cannot be found', async (t) => {
    const { neighbours } = await asker(t);
    const { door: b } = await door(t, { handle: () => Promise.reject(new Error('the disk is full')) });
    const heard = await neighbours.ask(voterAt(b.port), LEASE);
    assert.ok(heard.how === 'answered');
    assert.deepEqual(heard.answer, { kind: 'denied', reason: 'the disk is full' });
  });
});
