/** Vectors: Valkey 9.1.2. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type ClusterNodeLine, formatNodesConf, isMyself, parseClusterNodes, parseNodesConf } from './cluster-nodes.ts';

const A = '84c524e8785ba1b83b2dd9860df564f034b7e628';
const B = '16b12f8f99ebf1382f24187e2cf8736adcbfd48f';
const SHARD = 'cc799cc9f518af5855a1e67b4a7b9d10befd7b15';

const line: ClusterNodeLine = {
  id: A,
  host: '127.0.0.1',
  port: 17001,
  busPort: 27001,
  aux: '',
  flags: ['myself', 'master'],
  role: 'primary',
  primaryId: null,
  pingSent: '0',
  pongReceived: '0',
  configEpoch: 0,
  linkState: 'connected',
  slots: [],
  moving: [],
};

describe('CLUSTER NODES', () => {
  const vectors: [name: string, text: string, expected: ClusterNodeLine][] = [
    [
      'a primary with slots',
      `${A} 127.0.0.1:17001@27001 myself,master - 0 0 7 connected 0-5000 6000 6002-16383`,
      {
        ...line,
        configEpoch: 7,
        slots: [
          [0, 5000],
          [6000, 6000],
          [6002, 16383],
        ],
      },
    ],
    [
      'a failed replica with a host name',
      `${B} 127.0.0.1:17002@27002,node-two.local slave,fail ${A} 1795483748617 1795483747612 0 disconnected`,
      {
        ...line,
        id: B,
        port: 17002,
        busPort: 27002,
        aux: ',node-two.local',
        flags: ['slave', 'fail'],
        role: 'replica',
        primaryId: A,
        pingSent: '1795483748617',
        pongReceived: '1795483747612',
        linkState: 'disconnected',
      },
    ],
    [
      'slots on their way',
      `${A} 127.0.0.1:17001@27001 myself,master - 0 0 1 connected 0-100 [50->-${B}] [200-<-${B}]`,
      { ...line, configEpoch: 1, slots: [[0, 100]], moving: [`[50->-${B}]`, `[200-<-${B}]`] },
    ],
    [
      'a handshake',
      `${B} 127.0.0.1:17009@27009 handshake - 0 0 0 disconnected`,
      { ...line, id: B, port: 17009, busPort: 27009, flags: ['handshake'], linkState: 'disconnected' },
    ],
    [
      'a node that does not know its own address',
      `${A} :17001@27001 myself,master - 0 0 0 connected`,
      { ...line, host: '' },
    ],
    [
      'a node without an address',
      `${A} :0@0 master,fail,noaddr - 1 2 0 disconnected`,
      {
        ...line,
        host: '',
        port: 0,
        busPort: 0,
        flags: ['master', 'fail', 'noaddr'],
        pingSent: '1',
        pongReceived: '2',
        linkState: 'disconnected',
      },
    ],
    ['an IPv6 address', `${A} ::1:17001@27001 myself,master - 0 0 0 connected`, { ...line, host: '::1' }],
  ];
  for (const [name, text, expected] of vectors) {
    it(name, () => assert.deepEqual(parseClusterNodes(`${text}\n`), [expected]));
  }

  it('is one line a node', () => {
    const text = vectors.map(([, vector]) => `${vector}\n`).join('');
    assert.deepEqual(
      parseClusterNodes(text),
      vectors.map(([, , expected]) => expected),
    );
  });

  const address = `${A} 127.0.0.1:17001@27001`;
  const malformed: [string, string][] = [
    ['a short id', 'abc 127.0.0.1:1@2 master - 0 0 0 connected'],
    ['no bus port', `${A} 127.0.0.1:17001 master - 0 0 0 connected`],
    ['too few fields', `${address} master - 0 0 0`],
    ['a primary that is no id', `${address} slave abc 0 0 0 connected`],
    ['an epoch that is no number', `${address} master - 0 0 x connected`],
    ['another link state', `${address} master - 0 0 0 perhaps`],
    ['a slot beyond the last', `${address} master - 0 0 0 connected 0-16384`],
    ['a range backwards', `${address} master - 0 0 0 connected 5-4`],
    ['a slot of letters', `${address} master - 0 0 0 connected a-b`],
    ['a move without a node', `${address} master - 0 0 0 connected [5->-]`],
    ['a move of no slot', `${address} master - 0 0 0 connected [16384->-${B}]`],
  ];
  for (const [name, text] of malformed) {
    it(`refuses ${name}`, () => assert.throws(() => parseClusterNodes(`${text}\n`), SyntaxError));
  }
});

const CONF = [
  `${B} 127.0.0.1:17002@27002,node-two.local,tls-port=0,shard-id=${SHARD} slave ${A} 0 1795483726504 0 connected`,
  `${A} 127.0.0.1:17001@27001,,availability-zone=zone-a,tls-port=0,nodename=alpha,shard-id=${SHARD} myself,master - 0 0 3 connected 0-5000 6000 [50->-${B}]`,
  'vars currentEpoch 4 lastVoteEpoch 2',
  '',
].join('\n');

describe('nodes.conf', () => {
  it('is read', () => {
    const conf = parseNodesConf(CONF);
    assert.equal(conf?.currentEpoch, 4);
    assert.equal(conf.lastVoteEpoch, 2);
    assert.deepEqual(
      conf.nodes.map((node) => [node.id, isMyself(node)]),
      [
        [B, false],
        [A, true],
      ],
    );
    assert.equal(conf.nodes[1]!.aux, `,,availability-zone=zone-a,tls-port=0,nodename=alpha,shard-id=${SHARD}`);
  });

  it('is written as it was read', () => assert.equal(formatNodesConf(parseNodesConf(CONF)!), CONF));

  it('is not trusted when it is torn at any point', () => {
    for (let length = 0; length < CONF.length; length += 1) {
      assert.equal(parseNodesConf(CONF.slice(0, length)), null, `the first ${length} characters`);
    }
  });

  const untrusted: [string, string][] = [
    ['without a line for itself', CONF.replace('myself,', '')],
    ['with two lines for itself', CONF.replace('slave', 'myself,slave')],
    ['with a node named twice', CONF.replace(B, A)],
    ['without epochs', CONF.replace(/vars.*\n/, '')],
    ['with epochs twice', `${CONF}vars currentEpoch 4 lastVoteEpoch 2\n`],
    ['with another variable', CONF.replace('lastVoteEpoch 2', 'lastVoteEpoch 2 other 1')],
    ['with a line of another form', `${CONF}hello\n`],
  ];
  for (const [name, text] of untrusted) it(`is not trusted ${name}`, () => assert.equal(parseNodesConf(text), null));

  it('survives being written and read, whatever it says', () => {
    const id = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 40, maxLength: 40 });
    const slot = fc.integer({ min: 0, max: 16383 });
    const range = fc.tuple(slot, slot).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);
    const move = fc
      .tuple(slot, fc.constantFrom('<', '>'), id)
      .map(([number, way, node]) => `[${number}-${way}-${node}]`);
    const aux = fc.constantFrom(
      '',
      ',host.example',
      `,,tls-port=0,shard-id=${SHARD}`,
      ',h,availability-zone=z-1,nodename=n',
    );
    const primaryId = fc.oneof(fc.constant(null), id);
    const node = fc
      .record({
        id,
        host: fc.oneof(fc.ipV4(), fc.ipV6(), fc.constant('')),
        port: fc.integer({ min: 0, max: 65535 }),
        busPort: fc.integer({ min: 0, max: 65535 }),
        aux,
        marks: fc.subarray(['fail?', 'fail', 'noaddr', 'nofailover']),
        primaryId,
        pingSent: fc.nat().map(String),
        pongReceived: fc.nat().map(String),
        configEpoch: fc.nat(),
        linkState: fc.constantFrom('connected', 'disconnected'),
        slots: fc.array(range, { maxLength: 4 }),
        moving: fc.array(move, { maxLength: 2 }),
      })
      .map(
        ({ marks, ...rest }): ClusterNodeLine => ({
          ...rest,
          flags: [rest.primaryId ? 'slave' : 'master', ...marks],
          role: rest.primaryId ? 'replica' : 'primary',
        }),
      );
    const nodes = fc.uniqueArray(node, { selector: (each) => each.id, minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(nodes, fc.nat(), fc.nat(), (others, currentEpoch, lastVoteEpoch) => {
        const [first, ...rest] = others;
        const conf = {
          nodes: [{ ...first!, flags: ['myself', ...first!.flags] }, ...rest],
          currentEpoch,
          lastVoteEpoch,
        };
        assert.deepEqual(parseNodesConf(formatNodesConf(conf)), conf);
      }),
    );
  });
});
