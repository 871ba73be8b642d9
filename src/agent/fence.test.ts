import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SlotRange } from '../domain/slots.ts';
import { isMyself, parseNodesConf } from '../valkey/cluster-nodes.ts';
import { fencedNodesConf, yieldedNodesConf } from './fence.ts';

const id = (digit: string): string => digit.repeat(40);
const SELF = { id: id('a'), host: '127.0.0.11', port: 7000 };
const SLOTS: readonly SlotRange[] = [[0, 8191]];
const PRIMARY = { id: id('b'), host: '127.0.0.12', port: 7001, slots: SLOTS, configEpoch: 11 };
const OTHER = `${id('c')} 127.0.0.13:7002@17002,,tls-port=0,shard-id=${id('3')} master - 0 1 3 connected 8192-16383`;

const line = (node: string, place: string, rest: string): string => `${node} ${place},,shard-id=${id('1')} ${rest}`;

/** As a killed primary leaves it: it owns slots, and who is primary now was its replica. */
const LEFT_BEHIND = [
  line(SELF.id, '127.0.0.11:7000@17000', `myself,master - 0 0 9 connected 0-8191 [93-<-${id('c')}]`),
  line(PRIMARY.id, '127.0.0.99:6000@16000', `slave,fail ${SELF.id} 0 1 9 disconnected`),
  line(id('d'), '127.0.0.13:7003@17003', `slave ${SELF.id} 0 1 9 connected`),
  OTHER,
  'vars currentEpoch 9 lastVoteEpoch 4',
  '',
].join('\n');

const fenced = (text: string) => {
  const conf = parseNodesConf(fencedNodesConf(text, SELF, PRIMARY));
  assert.ok(conf, 'it is whole');
  return { conf, own: conf.nodes.find(isMyself)!, leader: conf.nodes.find((node) => node.id === PRIMARY.id)! };
};

test('the own line follows the new primary and owns nothing; id, shard and vote stay', () => {
  const { conf, own } = fenced(LEFT_BEHIND);
  assert.equal(own.id, SELF.id);
  assert.deepEqual([own.role, own.primaryId, own.slots, own.moving], ['replica', PRIMARY.id, [], []]);
  assert.match(own.aux, new RegExp(`shard-id=${id('1')}`));
  assert.deepEqual([conf.currentEpoch, conf.lastVoteEpoch], [11, 4]);
});

test('the new primary is no replica of ours, nor failed, and is where it is now', () => {
  const { leader, conf } = fenced(LEFT_BEHIND);
  assert.deepEqual([leader.flags, leader.primaryId], [['master'], null]);
  assert.deepEqual([leader.host, leader.port, leader.busPort], ['127.0.0.12', 7001, 17001]);
  assert.equal(conf.nodes.filter((node) => node.primaryId === SELF.id).length, 0, 'nobody follows us');
});

test('the new primary owns its slots at its epoch, even if it is dead before it can say so', () => {
  const { leader } = fenced(LEFT_BEHIND);
  assert.deepEqual([leader.slots, leader.configEpoch], [SLOTS, 11]);
});

test('a higher epoch that is known already stays', () => {
  const { leader, conf } = fenced(LEFT_BEHIND.replaceAll(' 9 ', ' 30 '));
  assert.deepEqual([leader.configEpoch, conf.currentEpoch], [30, 30]);
});

test('what is known of others is kept', () => {
  assert.ok(fencedNodesConf(LEFT_BEHIND, SELF, PRIMARY).includes(OTHER));
});

test('a primary that was not known is added', () => {
  const alone = `${line(SELF.id, '127.0.0.11:7000@17000', 'myself,master - 0 0 0 connected')}\nvars currentEpoch 0 lastVoteEpoch 0\n`;
  assert.equal(fenced(alone).leader.port, 7001);
});

test('a file that is missing, torn or of another node is replaced by one with both', () => {
  const torn = LEFT_BEHIND.slice(0, LEFT_BEHIND.indexOf('vars'));
  for (const text of ['', '\0'.repeat(64), torn, LEFT_BEHIND.slice(60)]) {
    const { conf, own } = fenced(text);
    assert.deepEqual(
      conf.nodes.map((node) => node.id),
      [SELF.id, PRIMARY.id],
    );
    assert.equal(own.primaryId, PRIMARY.id);
  }
  const stranger = LEFT_BEHIND.replaceAll(SELF.id, id('e'));
  assert.deepEqual(
    fenced(stranger).conf.nodes.map((node) => node.id),
    [SELF.id, PRIMARY.id],
  );
});

test('doing it twice changes nothing more', () => {
  const once = fencedNodesConf(LEFT_BEHIND, SELF, PRIMARY);
  assert.equal(fencedNodesConf(once, SELF, PRIMARY), once);
});

test('a primary that comes back as itself leaves slots to who serves them, and keeps the others', () => {
  const other = { id: id('c'), host: '127.0.0.13', port: 7002, slots: [[100, 199]] as const, configEpoch: 3 };
  const text = yieldedNodesConf(LEFT_BEHIND, SELF.id, [other]);
  const conf = parseNodesConf(text)!;
  const slotsOf = (node: string) => conf.nodes.find((one) => one.id === node)?.slots;
  assert.deepEqual(slotsOf(SELF.id), [
    [0, 99],
    [200, 8191],
  ]);
  assert.deepEqual(slotsOf(other.id), [
    [100, 199],
    [8192, 16_383],
  ]);
  const own = conf.nodes.find(isMyself)!;
  assert.deepEqual([own.id, own.role, own.moving, own.configEpoch], [SELF.id, 'primary', [], 9]);
  assert.equal(yieldedNodesConf(text, SELF.id, [other]), text, 'done twice it changes nothing more');
});

test('who serves them is added where it was not known', () => {
  const other = { id: id('e'), host: '127.0.0.15', port: 7005, slots: [[0, 9]] as const, configEpoch: 3 };
  const line = yieldedNodesConf(LEFT_BEHIND, SELF.id, [other])
    .split('\n')
    .find((one) => one.startsWith(other.id));
  assert.match(line ?? '', /127\.0\.0\.15:7005@17005.* master .* 3 connected 0-9$/);
});
