/** The connection to a node against real servers: order, losses, and that no answer ever reaches the wrong command. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { ReplyError } from '../../src/resp/reply.ts';
import {
  EngineReplyError,
  EngineUnreachable,
  NodeConnection,
  type NodeConnectionOptions,
} from '../../src/valkey/connection.ts';
import { freePort, type RunningEngine, startEngine } from '../support/start-engine.ts';

const PASSWORD = 'a-secret';
/** `admin` needs the password, `default` none: who is turned away could still act as `default`. */
const WITH_ADMIN = ['--user', 'admin', 'on', `>${PASSWORD}`, '~*', '&*', '+@all'];
const ADMIN = { username: 'admin', password: PASSWORD };

function connectionTo(
  t: TestContext,
  { host, port }: Pick<RunningEngine, 'host' | 'port'>,
  options: Partial<NodeConnectionOptions> = {},
): NodeConnection {
  const connection = new NodeConnection({
    host,
    port,
    connectTimeoutMs: 2_000,
    commandTimeoutMs: 2_000,
    maxQueued: 10_000,
    ...options,
  });
  t.after(() => connection.close());
  return connection;
}

const unreachable = (reason: EngineUnreachable['reason']) => (error: unknown) =>
  error instanceof EngineUnreachable && error.reason === reason;

/** A connection with a promise of its loss. */
function watchedConnection(t: TestContext, engine: RunningEngine): { connection: NodeConnection; lost: Promise<void> } {
  const { promise: lost, resolve } = Promise.withResolvers<void>();
  return { connection: connectionTo(t, engine, { onLost: resolve }), lost };
}

describe('admission', () => {
  it('sends user and password first', async (t) => {
    const connection = connectionTo(t, await startEngine(t, { args: WITH_ADMIN }), ADMIN);
    assert.equal(await connection.command('ACL', 'WHOAMI'), 'admin');
  });

  it('sends nothing else to a node that turns it away', async (t) => {
    const engine = await startEngine(t, { args: WITH_ADMIN });
    const stranger = connectionTo(t, engine, { ...ADMIN, password: 'wrong' });
    await assert.rejects(stranger.command('SET', 'key', 'value'), unreachable('not_admitted'));
    assert.equal(await connectionTo(t, engine).command('DBSIZE'), 0);
  });
});

describe('answers', () => {
  it('come in the order of the commands, errors in their places', async (t) => {
    const connection = connectionTo(t, await startEngine(t));
    const counted = Array.from({ length: 1_000 }, () => connection.command('INCR', 'counter'));
    const [first, error, last] = await connection.pipeline([['INCR', 'counter'], ['NOSUCH'], ['INCR', 'counter']]);
    assert.deepEqual(
      await Promise.all(counted),
      Array.from({ length: 1_000 }, (_, index) => index + 1),
    );
    assert.equal(first, 1_001);
    assert.ok(error instanceof ReplyError && error.code === 'ERR');
    assert.equal(last, 1_002);
    assert.deepEqual(await connection.pipeline([]), []);
  });

  it('an error reply is thrown with its first word', async (t) => {
    const connection = connectionTo(t, await startEngine(t));
    await connection.command('SET', 'text', 'abc');
    await assert.rejects(
      connection.command('LPUSH', 'text', 1),
      (error) => error instanceof EngineReplyError && error.code === 'WRONGTYPE' && error.message.includes('LPUSH'),
    );
    assert.equal(await connection.command('GET', 'text'), 'abc');
  });

  it('a value of a megabyte comes whole', async (t) => {
    const connection = connectionTo(t, await startEngine(t));
    const value = 'Grüße '.repeat(150_000);
    assert.equal(await connection.command('SET', 'large', value), 'OK');
    const [large, ...pongs] = await connection.pipeline([['GET', 'large'], ['PING'], ['PING']]);
    assert.ok(large === value);
    assert.deepEqual(pongs, ['PONG', 'PONG']);
  });

  it('that came while this process itself was held up are not late', async (t) => {
    const connection = connectionTo(t, await startEngine(t), { commandTimeoutMs: 100 });
    await connection.open();
    const answer = connection.command('PING');
    await new Promise(setImmediate); // the command is on its way
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
    assert.equal(await answer, 'PONG');
  });
});

describe('a node that is not there', () => {
  it('is refused, and found once it is there', async (t) => {
    const port = await freePort();
    const onLost = t.mock.fn();
    const connection = connectionTo(t, { host: '127.0.0.1', port }, { onLost });
    await assert.rejects(connection.command('PING'), unreachable('refused'));
    await startEngine(t, { port });
    assert.equal(await connection.command('PING'), 'PONG');
    assert.equal(onLost.mock.callCount(), 0, 'what never was is not lost');
  });

  it('killed in the middle of a command: all that waits is rejected at once', async (t) => {
    const engine = await startEngine(t);
    const { connection, lost } = watchedConnection(t, engine);
    await connection.open();
    const waiting = [
      connection.command('BLPOP', 'nothing', 0),
      connection.command('PING'),
      connection.pipeline([['PING']]),
    ];
    const outcomes = Promise.allSettled(waiting);
    const start = performance.now();
    process.kill(engine.pid, 'SIGKILL');
    for (const outcome of await outcomes) {
      assert.ok(outcome.status === 'rejected' && unreachable('closed')(outcome.reason));
    }
    await lost;
    assert.ok(performance.now() - start < 1_000, 'before the commands time out');
    // A connection made in this instant may still reach the dying process, and be lost with it.
    const dead = (error: unknown): boolean => unreachable('refused')(error) || unreachable('closed')(error);
    await assert.rejects(connection.command('PING'), dead);
  });

  it('is noticed on an idle connection', async (t) => {
    const engine = await startEngine(t);
    const { connection, lost } = watchedConnection(t, engine);
    await connection.open();
    process.kill(engine.pid, 'SIGKILL');
    await lost;
  });

  it('something else at its port is not taken for it', async (t) => {
    const server = createServer((socket) => socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    server.listen(0, '127.0.0.1');
    t.after(() => server.close());
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const connection = connectionTo(t, { host: '127.0.0.1', port }, ADMIN);
    await assert.rejects(connection.command('PING'), unreachable('not_resp'));
  });
});

describe('a node that hangs', () => {
  it('costs the connection; after it goes on, answers are right again', async (t) => {
    const engine = await startEngine(t);
    const { promise: lost, resolve } = Promise.withResolvers<void>();
    const connection = connectionTo(t, engine, { commandTimeoutMs: 200, onLost: resolve });
    await connection.open();
    process.kill(engine.pid, 'SIGSTOP');
    const early = connection.command('ECHO', 'early');
    const alsoEarly = connection.command('ECHO', 'also early');
    await assert.rejects(early, unreachable('timeout'));
    await assert.rejects(alsoEarly, unreachable('timeout'));
    await lost;

    const meanwhile = connection.command('ECHO', 'meanwhile'); // the kernel accepts the connection
    await assert.rejects(meanwhile, unreachable('timeout'));
    process.kill(engine.pid, 'SIGCONT');
    const texts = Array.from({ length: 20 }, (_, index) => `late ${index}`);
    assert.deepEqual(await Promise.all(texts.map((text) => connection.command('ECHO', text))), texts);
  });

  it('is not waited for longer than the time to connect where it must admit first', async (t) => {
    const engine = await startEngine(t, { args: WITH_ADMIN });
    process.kill(engine.pid, 'SIGSTOP');
    const connection = connectionTo(t, engine, { ...ADMIN, connectTimeoutMs: 100 });
    const start = performance.now();
    await assert.rejects(connection.command('PING'), unreachable('timeout'));
    assert.ok(performance.now() - start < 1_000);
    process.kill(engine.pid, 'SIGCONT');
    assert.equal(await connection.command('ACL', 'WHOAMI'), 'admin');
  });

  for (const connected of [true, false]) {
    it(`holds up no more than maxQueued commands, ${connected ? 'connected' : 'connecting'}`, async (t) => {
      const engine = await startEngine(t);
      const connection = connectionTo(t, engine, { maxQueued: 4, commandTimeoutMs: 10_000 });
      if (connected) await connection.open();
      process.kill(engine.pid, 'SIGSTOP');
      const waiting = [connection.command('ECHO', 'a'), connection.command('ECHO', 'b')];
      await assert.rejects(connection.pipeline([['PING'], ['PING'], ['PING']]), unreachable('too_many_commands'));
      const more = connection.pipeline([
        ['ECHO', 'c'],
        ['ECHO', 'd'],
      ]);
      await assert.rejects(connection.command('PING'), unreachable('too_many_commands'));
      process.kill(engine.pid, 'SIGCONT');
      assert.deepEqual(await Promise.all(waiting), ['a', 'b']);
      assert.deepEqual(await more, ['c', 'd']);
      assert.equal(await connection.command('PING'), 'PONG', 'there is room again');
    });
  }
});

describe('the end', () => {
  it('closed by us: what waits and what comes is told so, and nobody is alarmed', async (t) => {
    const engine = await startEngine(t);
    const onLost = t.mock.fn();
    const connection = connectionTo(t, engine, { onLost });
    await connection.open();
    const waiting = connection.command('BLPOP', 'nothing', 0);
    connection.close();
    await assert.rejects(waiting, unreachable('closed'));
    await assert.rejects(connection.command('PING'), unreachable('closed'));
    const connecting = connectionTo(t, engine, { onLost });
    const early = connecting.command('PING');
    connecting.close();
    await assert.rejects(early, unreachable('closed'));
    assert.equal(onLost.mock.callCount(), 0);
  });

  it('by the node, which goes on: the next command connects again', async (t) => {
    const engine = await startEngine(t);
    const { connection, lost } = watchedConnection(t, engine);
    const id = Number(await connection.command('CLIENT', 'ID'));
    await connectionTo(t, engine).command('CLIENT', 'KILL', 'ID', id);
    await lost;
    assert.ok(Number(await connection.command('CLIENT', 'ID')) > id);
  });

  it('an idle connection has no timer', async (t) => {
    const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const engine = await startEngine(t, { args: WITH_ADMIN });
    const before = timers();
    const connection = connectionTo(t, engine, ADMIN);
    const answer = connection.command('PING');
    assert.ok(timers() > before, 'a waiting one has');
    await answer;
    assert.equal(timers(), before);
  });
});
