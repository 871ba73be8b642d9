import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { keySlot } from '../../src/domain/key-slot.ts';
import { endpointScene, type Scene, until } from '../support/endpoint-scene.ts';

/** Speaks bytes, to see exactly what is answered. */
class Raw {
  readonly socket: Socket;
  text = '';
  isClosed = false;

  constructor(scene: Scene) {
    this.socket = connect(scene.port, scene.host);
    this.socket.setEncoding('latin1');
    this.socket.on('data', (chunk: string) => {
      this.text += chunk;
    });
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.isClosed = true;
    });
  }

  /** Sends lines, and waits until what has come since ends so. */
  async say(lines: string, end: string): Promise<string> {
    this.text = '';
    this.socket.write(lines);
    await until(`${JSON.stringify(lines)} is answered`, async () => this.text.endsWith(end), 5_000);
    return this.text;
  }
}

describe('clients of an endpoint', () => {
  const ends: (() => unknown)[] = [];
  let scene: Scene;
  let client: Redis;
  const open = (options = {}): Redis => {
    const one = new Redis(scene.port, scene.host, options);
    ends.push(() => one.disconnect());
    return one;
  };
  const raw = (): Raw => {
    const one = new Raw(scene);
    ends.push(() => one.socket.destroy());
    return one;
  };
  before(async () => {
    scene = await endpointScene(
      { after: (end) => ends.push(end as () => unknown) },
      { replicas: 1, users: [{ name: 'reader', password: 'r', rules: '~* +@read +client|id +client|setname +info' }] },
    );
    client = open();
    await client.ping();
  });
  after(async () => {
    for (const end of ends.reverse()) await end();
  });
  const call = (...args: (string | number)[]): Promise<unknown> => client.call(args[0] as string, ...args.slice(1));
  const refused = (text: string | RegExp, ...args: (string | number)[]): Promise<void> =>
    assert.rejects(call(...args), (error: Error) =>
      typeof text === 'string' ? error.message === text : text.test(error.message),
    );

  it('lists its clients in the engine’s form, by every filter', async () => {
    const other = open({ connectionName: 'other-one', db: 3 });
    await other.call('CLIENT', 'SETINFO', 'LIB-NAME', 'mine');
    await other.call('CLIENT', 'CAPA', 'redirect');
    const id = Number(await other.call('CLIENT', 'ID'));
    const all = String(await call('CLIENT', 'LIST'))
      .trimEnd()
      .split('\n');
    const line = all.find((one) => one.startsWith(`id=${id} `))!;
    assert.match(
      line,
      /^id=\d+ addr=127\.0\.0\.1:\d+ laddr=127\.0\.0\.1:\d+ fd=-?\d+ name=other-one age=\d+ idle=\d+ flags=N capa=r db=3 sub=0 psub=0 ssub=0 multi=-1 watch=0 qbuf=0 qbuf-free=\d+ argv-mem=\d+ multi-mem=0 rbs=\d+ rbp=\d+ obl=0 oll=0 omem=0 tot-mem=\d+ events=r cmd=client\|id user=default redir=-1 resp=[23] lib-name=mine lib-ver=\S* tot-net-in=\d+ tot-net-out=\d+ tot-cmds=\d+$/,
    );
    const address = /addr=(\S+)/.exec(line)![1]!;
    const idsBy = async (...filter: (string | number)[]): Promise<number[]> => {
      const text = String(await call('CLIENT', 'LIST', ...filter));
      return [...text.matchAll(/^id=(\d+)/gm)].map(([, found]) => Number(found));
    };
    for (const filter of [
      ['ID', id],
      ['ADDR', address],
      ['NAME', 'other-one'],
      ['LIB-NAME', 'mine'],
      ['CAPA', 'r'],
      ['DB', 3],
      ['NOT-DB', 0],
      ['NAME', 'other-one', 'FLAGS', 'N', 'TYPE', 'normal', 'USER', 'default', 'IP', '127.0.0.1', 'SKIPME', 'yes'],
    ]) {
      assert.deepEqual(await idsBy(...filter), [id], String(filter));
    }
    assert.equal((await idsBy()).length, all.length);
    assert.ok(!(await idsBy('SKIPME', 'yes')).includes(Number(await call('CLIENT', 'ID'))));
    assert.deepEqual(await idsBy('TYPE', 'pubsub'), []);
    assert.deepEqual(await idsBy('MAXAGE', 1000), []);
    await refused('ERR syntax error', 'CLIENT', 'LIST', 'x');
    await refused('ERR syntax error', 'CLIENT', 'LIST', 'x', 'y');
    await refused('ERR client-id should be greater than 0', 'CLIENT', 'LIST', 'ID', 0);
    await refused("ERR Unknown client type 'x'", 'CLIENT', 'LIST', 'TYPE', 'x');
    await refused("ERR No such user 'x'", 'CLIENT', 'LIST', 'USER', 'x');
    await refused('ERR Unknown flags found in the provided filter: NZ', 'CLIENT', 'LIST', 'FLAGS', 'NZ');
    await refused('ERR Unknown capa found in the NOT-CAPA filter: q', 'CLIENT', 'LIST', 'NOT-CAPA', 'q');
    await refused('ERR maxage is not an integer or out of range', 'CLIENT', 'LIST', 'MAXAGE', 'x');
    await refused('ERR DB number should be between 0 and 15', 'CLIENT', 'LIST', 'DB', 16);
  });

  it('names clients and keeps what they say of themselves', async () => {
    assert.equal(await call('CLIENT', 'GETNAME'), null);
    await call('CLIENT', 'SETNAME', 'me');
    assert.equal(await call('CLIENT', 'GETNAME'), 'me');
    await refused(
      'ERR Client names cannot contain spaces, newlines or special characters.',
      ...['CLIENT', 'SETNAME', 'a b'],
    );
    await refused("ERR Unrecognized option 'x'", 'CLIENT', 'SETINFO', 'x', 'y');
    await refused(
      'ERR lib-VER cannot contain spaces, newlines or special characters.',
      ...['CLIENT', 'SETINFO', 'lib-VER', 'a\nb'],
    );
    assert.match(String(await call('CLIENT', 'INFO')), /^id=\d+ .* name=me .* cmd=client\|info .*\n$/);
    assert.match(String(((await call('CLIENT', 'HELP')) as string[])[0]), /^CLIENT <subcommand>/);
    await refused('ERR syntax error', 'CLIENT', 'NO-EVICT', 'perhaps');
    assert.equal(await call('CLIENT', 'NO-EVICT', 'ON'), 'OK');
    assert.match(String(await call('CLIENT', 'INFO')), / flags=e /);
    await call('CLIENT', 'NO-EVICT', 'OFF');
    await refused("ERR unknown subcommand 'no such'. Try CLIENT HELP.", 'CLIENT', 'no\nsuch');
  });

  it('ends clients, by address and by filter', async () => {
    const victim = raw();
    const second = raw();
    assert.match(await victim.say('CLIENT SETNAME victim\r\nPING\r\n', '+PONG\r\n'), /^\+OK/);
    await second.say('CLIENT SETNAME victim\r\nPING\r\n', '+PONG\r\n');
    assert.equal(await call('CLIENT', 'KILL', 'NAME', 'victim'), 2);
    await until('both are gone', async () => victim.isClosed && second.isClosed);
    await refused('ERR No such client', 'CLIENT', 'KILL', '127.0.0.1:1');
    assert.equal(await call('CLIENT', 'KILL', 'NAME', 'victim'), 0);
    const suicidal = raw();
    const said = await suicidal.say('CLIENT INFO\r\nPING\r\n', '+PONG\r\n');
    const address = / addr=(\S+)/.exec(said)![1]!;
    assert.equal(await suicidal.say(`CLIENT KILL ${address}\r\n`, '\r\n'), '+OK\r\n');
    await until('it is gone', async () => suicidal.isClosed);
  });

  it('unblocks a client that waits', async () => {
    const waiting = open();
    const id = Number(await waiting.call('CLIENT', 'ID'));
    assert.equal(await call('CLIENT', 'UNBLOCK', id), 0);
    const first = waiting.blpop('nothing', 0);
    await until('it waits', async () => / flags=b /.test(String(await call('CLIENT', 'LIST', 'ID', id))));
    assert.equal(await call('CLIENT', 'UNBLOCK', id), 1);
    assert.equal(await first, null);
    const second = waiting.blpop('nothing', 0);
    second.catch(() => {});
    await until('it waits', async () => /blocked_clients:1\r/.test(await client.info('clients')));
    assert.equal(await call('CLIENT', 'UNBLOCK', id, 'ERROR'), 1);
    await assert.rejects(second, /^ReplyError: UNBLOCKED client unblocked via CLIENT UNBLOCK$/);
    await refused('ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR', 'CLIENT', 'UNBLOCK', id, 'x');
    await refused('ERR value is not an integer or out of range', 'CLIENT', 'UNBLOCK', 'x');
  });

  it('answers nothing, or not the next command, when asked not to', async () => {
    const one = raw();
    const said = await one.say(
      [
        ...['CLIENT REPLY SKIP', 'SET a 1', 'GET a', 'CLIENT REPLY OFF', 'GET a', 'nosuch', 'MGET a b c', 'DBSIZE'],
        ...['CLIENT REPLY SKIP', 'CLIENT REPLY ON', 'PING', 'CLIENT REPLY SKIP', 'CLIENT REPLY x', 'ECHO end', ''],
      ].join('\r\n'),
      '$3\r\nend\r\n',
    );
    assert.equal(said, '$1\r\n1\r\n+OK\r\n+PONG\r\n$3\r\nend\r\n');
  });

  it('does nothing for a user that the engine would not let do it', async () => {
    const reader = open({ username: 'reader', password: 'r' });
    await assert.rejects(
      reader.call('CLIENT', 'LIST') as Promise<unknown>,
      /NOPERM User reader has no permissions to run the 'client\|list' command/,
    );
    await assert.rejects(reader.call('CLIENT', 'KILL', 'ID', '1') as Promise<unknown>, /NOPERM/);
    await assert.rejects(reader.config('SET', 'slowlog-max-len', '5'), /NOPERM User reader .*'config\|set' command/);
    await assert.rejects(
      reader.dbsize().then(() => reader.flushall()),
      /NOPERM/,
    );
    assert.equal(await reader.call('ACL', 'WHOAMI').catch(() => 'refused'), 'reader');
  });

  it('asks all primaries for what concerns the whole', async () => {
    await client.flushall();
    const keys = Array.from({ length: 50 }, (_, index) => `key:${index}`);
    await Promise.all(keys.map((key) => client.set(key, 'x')));
    assert.equal(await client.dbsize(), 50);
    assert.deepEqual((await client.keys('*')).sort(), [...keys].sort());
    assert.deepEqual(await client.keys('key:7'), ['key:7']);
    assert.ok(new Set(keys.map((key) => Math.floor(keySlot(key) / 5462))).size > 1);
    await refused('ERR syntax error', 'FLUSHALL', 'NOW');
    assert.equal(await client.dbsize(), 50);
    assert.equal(await call('FLUSHDB', 'SYNC'), 'OK');
    assert.equal(await client.dbsize(), 0);
    assert.equal(await call('MEMORY', 'PURGE'), 'OK');
    assert.equal(await call('LATENCY', 'RESET'), 0);
    assert.deepEqual(await call('PUBSUB', 'SHARDCHANNELS'), []);
    assert.ok(((await call('COMMAND', 'INFO', 'get')) as unknown[]).length === 1);
    assert.deepEqual(await call('COMMAND', 'GETKEYS', 'MSET', 'a', '1', 'b', '2'), ['a', 'b']);
  });

  it('sets what an app may choose on every node, and refuses the rest', async () => {
    await client.config('SET', 'hash-max-listpack-entries', '77', 'SLOWLOG-max-len', '99');
    for (const { admin } of scene.nodes) {
      const text = JSON.stringify(await admin.command('CONFIG', 'GET', 'hash-max-listpack-entries'));
      assert.match(text, /77/);
    }
    assert.deepEqual(await client.config('GET', 'slowlog-max-len'), ['slowlog-max-len', '99']);
    await refused("ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'", 'CONFIG', 'SET', 'nosuch', 1);
    await refused(
      /^ERR CONFIG SET failed \(possibly related to argument 'maxmemory'\) .*valkeeper db update$/,
      ...['CONFIG', 'SET', 'maxmemory', '100mb'],
    );
    assert.equal(await call('CONFIG', 'SET', 'maxmemory', 0), 'OK'); // as it is
    await refused(
      /possibly related to argument 'slowlog-max-len'\) - argument couldn't be parsed/,
      ...['CONFIG', 'SET', 'slowlog-max-len', 'x'],
    );
    await refused('ERR syntax error', 'CONFIG', 'SET', 'slowlog-max-len', 1, 'x');
    const own = await client.config('GET', 'port', 'databases', 'cluster-enabled', 'maxclients', 'primaryauth');
    assert.deepEqual(own, [
      ...['cluster-enabled', 'no', 'databases', '16', 'maxclients', String(scene.service.limits.clients)],
      ...['port', String(scene.port), 'primaryauth', ''],
    ]);
    assert.equal(await client.config('RESETSTAT'), 'OK');
  });

  it('shows the slow commands of all primaries as one log', async () => {
    await client.config('SET', 'slowlog-log-slower-than', '0');
    await client.slowlog('RESET');
    for (let index = 0; index < 12; index += 1) await client.get(`k${index}`);
    await client.config('SET', 'slowlog-log-slower-than', '-1');
    const log = (await call('SLOWLOG', 'GET', -1)) as [number, number, number, string[]][];
    const names = log.map(([, , , [name]]) => name!.toLowerCase());
    assert.equal(names.filter((name) => name === 'get').length, 12, String(names));
    assert.equal(names.filter((name) => name === 'slowlog').length, 1, String(names));
    assert.equal(new Set(log.map(([id]) => id)).size, log.length);
    assert.equal(await client.slowlog('LEN'), log.length);
    assert.equal(((await call('SLOWLOG', 'GET')) as unknown[]).length, 10);
    assert.equal(((await call('COMMANDLOG', 'GET', 3, 'slow')) as unknown[]).length, 3);
    await refused('ERR count should be greater than or equal to -1', 'SLOWLOG', 'GET', -2);
    await client.slowlog('RESET');
    assert.equal(await call('COMMANDLOG', 'LEN', 'slow'), 0);
  });

  it('tells in INFO what the endpoint is, and the sums of its nodes', async () => {
    await client.flushall();
    await Promise.all(Array.from({ length: 30 }, (_, index) => client.set(`i:${index}`, 'x', 'EX', 1000)));
    await client.config('RESETSTAT');
    await Promise.all(Array.from({ length: 30 }, (_, index) => client.get(`i:${index}`)));
    const info = await client.info('everything');
    assert.match(info, /^# Server\r\n/);
    for (const line of [
      ...[/^server_mode:standalone$/m, /^redis_version:7\./m, /^valkey_version:9\./m, /^role:master$/m],
      ...[/^connected_slaves:0$/m, /^cluster_enabled:0$/m, new RegExp(`^tcp_port:${scene.port}$`, 'm')],
      ...[/^db0:keys=30,expires=30,avg_ttl=\d+,keys_with_volatile_items=0$/m, /^cmdstat_get:calls=30,/m],
      ...[new RegExp(`^process_id:${process.pid}$`, 'm'), /^keyspace_hits:30$/m, /^used_memory_human:\d+\.\d\dM$/m],
    ]) {
      assert.match(info.replaceAll('\r', ''), line);
    }
    assert.doesNotMatch(info, /^slave0/m);
    assert.equal(await client.info('nosuch'), '');
    assert.match(await client.info('keyspace'), /^# Keyspace\r\ndb0:[^\r]*\r\n$/);
    const clients = Number(/connected_clients:(\d+)/.exec(await client.info('clients'))![1]);
    assert.equal(clients, scene.service.peers.size);
  });

  it('reads without touching for a client that asked for it, whatever else it changes', async () => {
    const quiet = open();
    await quiet.set('untouched', 'x');
    assert.equal(await quiet.call('CLIENT', 'NO-TOUCH', 'ON'), 'OK');
    const idle = async (): Promise<number> => Number(await call('OBJECT', 'IDLETIME', 'untouched'));
    await until('a second has passed', async () => (await idle()) >= 1);
    assert.equal(await quiet.get('untouched'), 'x');
    assert.ok((await idle()) >= 1);
    await quiet.select(1);
    await quiet.select(0);
    assert.match(String(await quiet.call('CLIENT', 'INFO')), / flags=T /);
    assert.equal(await quiet.get('untouched'), 'x');
    assert.ok((await idle()) >= 1);
    assert.equal(await quiet.call('CLIENT', 'NO-TOUCH', 'OFF'), 'OK');
    await quiet.get('untouched');
    assert.equal(await idle(), 0);
  });

  it('shows itself as one node, or the true topology where the database does', async () => {
    const id = String(await call('CLUSTER', 'MYID'));
    assert.match(id, /^[0-9a-f]{40}$/);
    const itself = [scene.host, scene.port, id];
    const [[from, to, node]] = (await call('CLUSTER', 'SLOTS')) as [[number, number, unknown[]]];
    assert.deepEqual([from, to, node.slice(0, 3)], [0, 16383, itself]);
    assert.equal(
      await call('CLUSTER', 'NODES'),
      `${id} ${scene.host}:${scene.port}@0 myself,master - 0 0 1 connected 0-16383\n`,
    );
    assert.match(String(await call('CLUSTER', 'INFO')), /^cluster_state:ok\r\n[\s\S]*cluster_known_nodes:1\r\n/);
    assert.equal(((await call('CLUSTER', 'SHARDS')) as unknown[]).length, 1);
    assert.equal(await call('CLUSTER', 'KEYSLOT', 'a{x}b'), keySlot('x'));
    await client.set('{count}a', 1);
    assert.equal(await call('CLUSTER', 'COUNTKEYSINSLOT', keySlot('count')), 1);
    assert.deepEqual(await call('CLUSTER', 'GETKEYSINSLOT', keySlot('count'), 9), ['{count}a']);
    await refused('ERR Invalid slot', 'CLUSTER', 'COUNTKEYSINSLOT', 16384);
    await refused(/^ERR 'cluster meet' is not possible through the endpoint/, 'CLUSTER', 'MEET', '127.0.0.1', 1);
    const mode = async (): Promise<string> => {
      const one = raw();
      return /(standalone|cluster)/.exec(await one.say('HELLO 2\r\nPING\r\n', '+PONG\r\n'))![1]!;
    };
    assert.equal(await mode(), 'standalone');
    const [database] = scene.config.databases;
    await scene.endpoint.serve({ ...scene.config, databases: [{ ...database!, clusterView: 'nodes' }] });
    const shown = (await call('CLUSTER', 'SLOTS')) as [number, number, [string, number]][];
    assert.deepEqual(shown.map(([, , [, port]]) => port).sort(), scene.primaries.map(({ port }) => port).sort());
    assert.equal(await mode(), 'cluster');
    assert.match(await client.info('cluster'), /cluster_enabled:1/);
    await scene.endpoint.serve(scene.config);
  });

  it('speaks RESP3 where it is asked to', async () => {
    const one = raw();
    await one.say('HELLO 3\r\nPING\r\n', '+PONG\r\n');
    assert.match(await one.say('INFO keyspace\r\nPING\r\n', '+PONG\r\n'), /^=\d+\r\ntxt:# Keyspace\r\n/);
    assert.match(await one.say('CLIENT INFO\r\nPING\r\n', '+PONG\r\n'), /^=\d+\r\ntxt:id=/);
    assert.match(await one.say('CONFIG GET port\r\nPING\r\n', '+PONG\r\n'), /^%1\r\n\$4\r\nport\r\n/);
    const node = createClient({ socket: { host: scene.host, port: scene.port }, RESP: 3 });
    await node.connect();
    ends.push(() => node.destroy());
    assert.equal(await node.dbSize(), await client.dbsize());
    assert.equal((await node.configGet('databases'))['databases'], '16');
    assert.equal((await node.clientInfo()).resp, 3);
  });

  it('keeps the order of replies', async () => {
    const one = raw();
    const said = await one.say(
      'DBSIZE\r\nCLIENT LIST ID 999999\r\nECHO a\r\nINFO nosuch\r\nKEYS nosuch*\r\nECHO end\r\n',
      'end\r\n',
    );
    assert.match(said, /^:\d+\r\n\$0\r\n\r\n\$1\r\na\r\n\$0\r\n\r\n\*0\r\n\$3\r\nend\r\n$/);
  });
});
