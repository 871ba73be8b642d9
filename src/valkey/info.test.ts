/** Vectors: Valkey 9.1.2, shortened to some of the fields nobody reads. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { keyCount, numberField, parseInfo, replicationInfo, textField } from './info.ts';

const lines = (...text: string[]): string => [...text, ''].join('\r\n');

const PRIMARY = lines(
  '# Replication',
  'role:master',
  'connected_slaves:2',
  'slave0:ip=127.0.0.1,port=17002,state=online,offset=42,lag=1,type=replica',
  'slave1:ip=127.0.0.1,port=17003,state=wait_bgsave,offset=0,lag=0,type=replica',
  'replicas_waiting_psync:0',
  'master_failover_state:no-failover',
  'master_replid:a51f7bafdd30648e5139d6fa33fb84825155fdcb',
  'master_repl_offset:42',
  'second_repl_offset:-1',
);

const REPLICA = lines(
  '# Replication',
  'role:slave',
  'master_host:127.0.0.1',
  'master_port:17001',
  'master_link_status:up',
  'master_last_io_seconds_ago:3',
  'master_sync_in_progress:0',
  'slave_read_repl_offset:57',
  'slave_repl_offset:56',
  'master_replid:8c3f0e5d6a7b4c1d2e3f405162738495a6b7c8d9',
  'slave_priority:100',
  'connected_slaves:0',
  'master_repl_offset:42',
  'repl_backlog_histlen:14',
);

describe('INFO', () => {
  it('has the fields of all sections', () => {
    const info = parseInfo(`${PRIMARY}\r\n${lines('# Memory', 'used_memory:3012768', 'used_memory_human:2.87M')}`);
    assert.equal(numberField(info, 'used_memory'), 3012768);
    assert.equal(textField(info, 'role'), 'master');
    assert.equal(info.size, 11);
  });

  it('keeps colons within a value, and empty values', () => {
    const info = parseInfo(lines('listener0:name=tcp,bind=::1,port=1', 'config_file:'));
    assert.equal(textField(info, 'listener0'), 'name=tcp,bind=::1,port=1');
    assert.equal(textField(info, 'config_file'), '');
  });

  it('takes nothing missing for a zero', () => {
    const info = parseInfo(lines('empty:', 'word:ok', 'fraction:1.5'));
    assert.throws(() => textField(info, 'absent'), /lacks absent/);
    assert.throws(() => numberField(info, 'absent'), SyntaxError);
    for (const name of ['empty', 'word', 'fraction']) assert.throws(() => numberField(info, name), /no integer/);
  });

  it('counts the keys of all databases', () => {
    const keyspace = lines('# Keyspace', 'db0:keys=12,expires=3,avg_ttl=0', 'db11:keys=30,expires=0,avg_ttl=0');
    assert.equal(keyCount(parseInfo(keyspace)), 42);
    assert.equal(keyCount(parseInfo(lines('# Keyspace'))), 0);
  });
});

describe('the section replication', () => {
  it('of a primary', () => {
    const { role, offset, replicas } = replicationInfo(parseInfo(PRIMARY));
    assert.deepEqual({ role, offset }, { role: 'primary', offset: 42 });
    assert.deepEqual(replicas, [
      { host: '127.0.0.1', port: 17002, state: 'online', offset: 42, lagSeconds: 1 },
      { host: '127.0.0.1', port: 17003, state: 'wait_bgsave', offset: 0, lagSeconds: 0 },
    ]);
  });

  it('of a replica: the offset is what it has applied', () => {
    const { role, offset, linkUp, syncInProgress } = replicationInfo(parseInfo(REPLICA));
    const expected = { role: 'replica', offset: 56, linkUp: true, syncInProgress: false };
    assert.deepEqual({ role, offset, linkUp, syncInProgress }, expected);
  });

  it('of a replica that copies', () => {
    const down = REPLICA.replace('status:up', 'status:down\r\nmaster_link_down_since_seconds:7');
    const { linkUp, linkDownSeconds, syncInProgress } = replicationInfo(
      parseInfo(down.replace('in_progress:0', 'in_progress:1')),
    );
    const expected = { linkUp: false, linkDownSeconds: 7, syncInProgress: true };
    assert.deepEqual({ linkUp, linkDownSeconds, syncInProgress }, expected);
    assert.equal(replicationInfo(parseInfo(REPLICA)).linkDownSeconds, 0);
    assert.equal(replicationInfo(parseInfo(down.replace('seconds:7', 'seconds:-1'))).linkDownSeconds, null);
  });

  it('is an error where it is not there', () => {
    assert.throws(() => replicationInfo(parseInfo(lines('# Memory', 'used_memory:1'))), SyntaxError);
  });
});
