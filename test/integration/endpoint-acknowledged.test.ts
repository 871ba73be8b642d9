/** Writes that are answered once replicas have them: what comes when, in which order, and what comes when they do not. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { Lane } from '../../src/proxy/lane.ts';
import { ByteClient } from '../support/byte-client.ts';
import {
  ADMIN_PASSWORD,
  endpointScene,
  type Scene,
  type SceneNode,
  type SceneOptions,
  until,
} from '../support/endpoint-scene.ts';

/** Longer than any answer takes that does not wait for a replica, and shorter than `acknowledgeMs`. */
const SILENCE_MS = 250;
const ACKNOWLEDGE_MS = 3_000;
const OK = '+OK\r\n';
const UNKNOWN = /^-UNKNOWNOUTCOME /;
const INCREMENT = "return redis.call('incr', KEYS[1])";
const LIBRARY = `#!lua name=lib
redis.register_function('increment', function(keys) return redis.call('incr', keys[1]) end)`;

interface Stage extends Scene {
  client(): ByteClient;
  stop(node: SceneNode): void;
  proceed(node: SceneNode): void;
}

async function stage(t: TestContext, options: SceneOptions): Promise<Stage> {
  const scene = await endpointScene(t, { shards: 1, limits: { acknowledgeMs: ACKNOWLEDGE_MS }, ...options });
  return {
    ...scene,
    stop: ({ pid }) => void process.kill(pid, 'SIGSTOP'),
    proceed: ({ pid }) => void process.kill(pid, 'SIGCONT'),
    client: () => {
      const client = new ByteClient(scene.port);
      t.after(() => client.destroy());
      return client;
    },
  };
}

/** Whether nothing comes for a while. */
async function isSilent(reply: Promise<string>): Promise<boolean> {
  return (await Promise.race([reply, pause(SILENCE_MS, null)])) === null;
}

describe('a database whose writes one of one replica acknowledges', () => {
  it('answers no write before the replica has it, whatever kind of command it is', async (t) => {
    const { client, stop, proceed, replicas } = await stage(t, { replicas: 1, acknowledgements: 1 });
    const plain = client();
    await plain.ask('RPUSH', 'list', 'a', 'b');
    const sha = (await plain.ask('SCRIPT', 'LOAD', INCREMENT)).split('\r\n')[1]!;
    const [waiting, watching, queueing] = [client(), client(), client()];
    waiting.send('BLPOP', 'later', 0);
    await watching.ask('WATCH', 'other');
    for (const one of [watching, queueing]) {
      assert.equal(await one.ask('MULTI'), OK);
      assert.equal(await one.ask('INCR', 'm'), '+QUEUED\r\n');
    }
    await until('BLPOP waits', async () => (await plain.ask('CLIENT', 'LIST')).includes('cmd=blpop'));
    const cases: [ByteClient, [string, ...string[]], string][] = [
      [plain, ['INCR', 'n'], ':1\r\n'],
      [plain, ['MSET', 'a', '1', 'b', '2', 'c', '3'], OK],
      [plain, ['MSET', '{t}a', '1', '{t}b', '2'], OK],
      [plain, ['EVAL', INCREMENT, '1', 'e'], ':1\r\n'],
      [plain, ['EVALSHA', sha, '1', 'e'], ':2\r\n'],
      [plain, ['FUNCTION', 'LOAD', LIBRARY], '$3\r\nlib\r\n'],
      [plain, ['FCALL', 'increment', '1', 'e'], ':3\r\n'],
      [plain, ['BLPOP', 'list', '0'], '*2\r\n$4\r\nlist\r\n$1\r\na\r\n'],
      [queueing, ['EXEC'], '*1\r\n:1\r\n'],
      [watching, ['EXEC'], '*1\r\n:2\r\n'],
      [plain, ['RPUSH', 'later', 'x'], ':1\r\n'],
      [plain, ['FLUSHALL'], OK],
    ];
    const popped = waiting.next();
    for (const [one, command, expected] of cases) {
      stop(replicas[0]!);
      one.send(...command);
      const reply = one.next();
      assert.ok(await isSilent(reply), `${command[0]} was answered while no replica had it`);
      if (command[1] === 'later') assert.ok(await isSilent(popped), 'BLPOP was answered while no replica had it');
      proceed(replicas[0]!);
      assert.equal(await reply, expected, command[0]!);
    }
    assert.equal(await popped, '*2\r\n$5\r\nlater\r\n$1\r\nx\r\n');
  });

  it('keeps the order of a pipeline, and reads what the client has written before', async (t) => {
    const { client, replicas } = await stage(t, { replicas: 1, acknowledgements: 1, shards: 2 });
    const one = client();
    const expected: string[] = [];
    for (let index = 0; index < 300; index += 1) {
      const key = `k${index % 7}`;
      one.send('GET', key);
      expected.push(index < 7 ? '$-1\r\n' : `$${String(index - 7).length}\r\n${index - 7}\r\n`);
      one.send('SET', key, index);
      expected.push(OK);
      one.send('GET', key);
      expected.push(`$${String(index).length}\r\n${index}\r\n`);
      if (index % 10 !== 0) continue;
      one.send('RPUSH', 'q', index);
      expected.push(':1\r\n');
      one.send('BLPOP', 'q', 0);
      expected.push(`*2\r\n$1\r\nq\r\n$${String(index).length}\r\n${index}\r\n`);
      one.send('MGET', key, 'never');
      expected.push(`*2\r\n$${String(index).length}\r\n${index}\r\n$-1\r\n`);
    }
    const replies: string[] = [];
    while (replies.length < expected.length) replies.push(await one.next());
    assert.deepEqual(replies, expected);
    // What was answered is in the replicas: nobody waits for it here.
    const sizes = await Promise.all(replicas.map(({ admin }) => admin.command('DBSIZE')));
    assert.equal(
      sizes.map(Number).reduce((sum, size) => sum + size),
      7,
    );
  });

  it('answers reads of clients that wait for no write, while writes wait', async (t) => {
    const { client, stop, proceed, replicas } = await stage(t, { replicas: 1, acknowledgements: 1 });
    const [writer, reader] = [client(), client()];
    assert.equal(await writer.ask('SET', 'k', '1'), OK);
    assert.equal(await reader.ask('GET', 'k'), '$1\r\n1\r\n');
    stop(replicas[0]!);
    writer.send('SET', 'k', '2');
    const written = writer.next();
    assert.ok(await isSilent(written));
    // It may see what is not acknowledged yet.
    assert.equal(await reader.ask('GET', 'k'), '$1\r\n2\r\n');
    assert.equal(await reader.ask('MGET', 'k', 'other'), '*2\r\n$1\r\n2\r\n$-1\r\n');
    assert.equal(await reader.ask('EVAL_RO', "return redis.call('get', KEYS[1])", 1, 'k'), '$1\r\n2\r\n');
    // A read behind a write of its own client is answered behind it.
    writer.send('GET', 'k');
    const read = writer.next();
    assert.ok(await isSilent(read));
    proceed(replicas[0]!);
    assert.equal(await written, OK);
    assert.equal(await read, '$1\r\n2\r\n');
  });

  it('tells that the outcome is unknown when the replica does not acknowledge in time, and that nothing was done later', async (t) => {
    const limits = { acknowledgeMs: 300, waitMs: 600 };
    const { client, stop, proceed, replicas, service } = await stage(t, { replicas: 1, acknowledgements: 1, limits });
    const writer = client();
    await writer.ask('SET', 'k', '1');
    stop(replicas[0]!);
    const commands = ['INCR k', 'GET k', 'MSET a 1 b 2 c 3', 'INCR k', 'MULTI', 'INCR k', 'EXEC'];
    for (const command of commands) writer.send(...command.split(' '));
    for (const expected of [UNKNOWN, /^\$1\r\n2\r\n$/, UNKNOWN, UNKNOWN, /^\+OK/, /^\+QUEUED/, UNKNOWN]) {
      assert.match(await writer.next(), expected);
    }
    assert.equal(await client().ask('GET', 'k'), '$1\r\n4\r\n');
    // Of MSET, which goes in a part for each key, all parts are told.
    assert.equal(service.sender.counts.unknownOutcomes, 5);
    const refused = await client().ask('INCR', 'k');
    assert.match(refused, /^-NOREPLICAS the primary .* had too few replicas .*nothing was done/);
    proceed(replicas[0]!);
    // Nothing of what was refused was done; what waits goes on when the replica is back.
    assert.equal(await client().ask('INCR', 'k'), ':5\r\n');
  });

  it('lets writes wait for a replica that is made anew, and answers none of them falsely', async (t) => {
    const { client, replicas, service } = await stage(t, {
      ...{ replicas: 1, acknowledgements: 1, limits: { acknowledgeMs: 500, waitMs: 2_000 } },
    });
    const writer = client();
    await writer.ask('SET', 'k', '1');
    await replicas[0]!.stop();
    assert.match(await writer.ask('INCR', 'k'), UNKNOWN);
    assert.match(await writer.ask('INCR', 'k'), /^-NOREPLICAS /);
    assert.equal(await writer.ask('GET', 'k'), '$1\r\n2\r\n');
    assert.equal(service.counts.defects, 0);
  });
});

describe('a primary that another replaced which had less', () => {
  it('lets the outcome of its writes be unknown', async (t) => {
    const { client, primaries, replicas } = await stage(t, {
      ...{ replicas: 1, acknowledgements: 1, engineArgs: ['--repl-diskless-sync', 'yes'] },
    });
    const [primary, successor] = [primaries[0]!.admin, replicas[0]!.admin];
    const writer = client();
    assert.equal(await writer.ask('SET', 'k', '1'), OK);
    await successor.command('CONFIG', 'SET', 'primaryauth', 'no longer this');
    await primary.command('CLIENT', 'KILL', 'TYPE', 'replica');
    writer.send('SET', 'k', '2');
    const written = writer.next();
    assert.ok(await isSilent(written));
    await successor.command('CLUSTER', 'FAILOVER', 'TAKEOVER');
    await until('the former is its replica', async () =>
      String(await primary.command('INFO', 'replication')).includes('master_link_status:up'),
    );
    assert.match(await written, UNKNOWN);
    assert.equal(await client().ask('GET', 'k'), '$1\r\n1\r\n');
  });
});

describe('a database whose writes one of two replicas acknowledges', () => {
  it('goes on with one of them, and with more than it needs', async (t) => {
    const { client, stop, proceed, replicas } = await stage(t, { replicas: 2, acknowledgements: 1 });
    const writer = client();
    for (const replica of replicas) {
      stop(replica);
      for (let index = 0; index < 20; index += 1) assert.equal(await writer.ask('SET', 'k', index), OK);
      proceed(replica);
      await pause(1_100); // it acknowledges once a second, unless it is asked
    }
  });

  it('answers writes whose primary was changed as planned while they waited, once the successor has its replicas', async (t) => {
    const { client, stop, proceed, primaries, replicas } = await stage(t, { replicas: 2, acknowledgements: 2 });
    const [successor, late] = replicas as [SceneNode, SceneNode];
    const [writer, popping] = [client(), client()];
    assert.equal(await writer.ask('SET', 'k', '1'), OK);
    popping.send('BLPOP', 'list', '0');
    const popped = popping.next();
    stop(late);
    writer.send('INCR', 'k');
    writer.send('RPUSH', 'list', 'a');
    const written = [writer.next(), writer.next()];
    assert.ok(await isSilent(written[0]!));
    assert.equal(String(await successor.admin.command('CLUSTER', 'FAILOVER')), 'OK');
    await until('the other is primary', async () => String(await successor.admin.command('ROLE')).startsWith('master'));
    await until('the former is its replica', async () =>
      String(await primaries[0]!.admin.command('INFO', 'replication')).includes('master_link_status:up'),
    );
    assert.ok(await isSilent(written[0]!), 'only one replica has it');
    proceed(late);
    assert.deepEqual(await Promise.all(written), [':2\r\n', ':1\r\n']);
    assert.match(await popped, /^\*2\r\n\$4\r\nlist/);
    assert.equal(await writer.ask('GET', 'k'), '$1\r\n2\r\n');
  });

  it('takes another number while it runs', async (t) => {
    const { client, stop, proceed, replicas, endpoint, config } = await stage(t, { replicas: 2 });
    const serve = (acknowledgements: number): Promise<void> =>
      endpoint.serve({ ...config, databases: config.databases.map((one) => ({ ...one, acknowledgements })) });
    const writer = client();
    stop(replicas[0]!);
    assert.equal(await writer.ask('SET', 'k', '0'), OK);
    await serve(1);
    assert.equal(await writer.ask('SET', 'k', '1'), OK);
    await serve(2);
    writer.send('SET', 'k', '2');
    const written = writer.next();
    assert.ok(await isSilent(written));
    proceed(replicas[0]!);
    assert.equal(await written, OK);
    stop(replicas[0]!);
    await serve(0);
    assert.equal(await client().ask('SET', 'k', '3'), OK);
  });

  it('does not tell a user that he may not enter when a node is no primary', async (t) => {
    const { replicas, service } = await stage(t, { replicas: 1, acknowledgements: 1 });
    const events = { nodeReady: () => {}, nodeLost: () => {}, push: () => {} };
    const identity = { user: 'valkeeper', password: ADMIN_PASSWORD, db: 0, resp: 2 } as const;
    const acknowledging = {
      ...{ count: 1, command: Buffer.alloc(0), isOpen: () => true, shut: () => {} },
      ...{ reached: async () => true, reachedBySuccessor: async () => true },
    };
    const lane = new Lane(identity, service.map, events, () => null, { acknowledging });
    t.after(() => lane.close());
    const upstream = lane.toPrimary(service.map.byId(replicas[0]!.id)!.index)!;
    await until('it has answered', async () => upstream.isClosed);
    assert.equal(lane.refusal, null);
  });

  it('tells users that may not say WAIT so, with nothing done', async (t) => {
    const users = [{ name: 'app', password: 'pw', rules: '~* +@all -wait' }];
    const { client } = await stage(t, { replicas: 1, acknowledgements: 1, users });
    const app = client();
    assert.equal(await app.ask('AUTH', 'app', 'pw'), OK);
    assert.match(await app.ask('SET', 'k', '1'), /^-NOPERM .*wait/);
    assert.equal(await app.ask('GET', 'k'), '$-1\r\n');
  });
});
