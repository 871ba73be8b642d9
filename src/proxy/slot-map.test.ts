/** Who owns a slot, when nodes say different things in whatever order. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { parseClusterNodes } from '../valkey/cluster-nodes.ts';
import { SlotMap } from './slot-map.ts';

const SLOT = 5;
type Name = 'source' | 'target' | 'replica';

const PORTS: Record<Name, number> = { source: 7_001, target: 7_002, replica: 7_003 };
const idOf = (name: Name): string => `${PORTS[name]}`.padStart(40, '0');
const NAMES = Object.keys(PORTS) as Name[];

/** A map with its three nodes, and what it is told. */
function mapOfThree() {
  const map = new SlotMap();
  for (const name of NAMES) map.place(idOf(name), '10.0.0.1', PORTS[name], null);
  return {
    /** The slot's owner. */
    owner: () => NAMES.find((name) => map.nodes[map.owners[SLOT]!]?.id === idOf(name)),
    /** A node tells who owns the slot, by which epoch. */
    learn(teller: Name, owner: Name, epoch: number) {
      const lines = [...new Set([teller, owner])].map((name) => {
        const flags = name === teller ? 'myself,master' : 'master';
        const slots = name === owner ? ` ${SLOT}` : '';
        return `${idOf(name)} 10.0.0.1:${PORTS[name]}@1 ${flags} - 0 0 ${name === owner ? epoch : 0} connected${slots}`;
      });
      map.learn(parseClusterNodes(lines.join('\n')), { host: '10.0.0.1', port: PORTS[teller] });
    },
    moved: (to: Name) => map.moved(SLOT, map.byId(idOf(to))!),
  };
}

it('believes the higher epoch, whoever tells it and in whatever order', () => {
  const { learn, owner } = mapOfThree();
  learn('source', 'target', 2);
  learn('source', 'source', 1);
  assert.equal(owner(), 'target');
  learn('target', 'replica', 3);
  assert.equal(owner(), 'replica');
});

it('believes MOVED before the new owner has told its epoch, and not who has not heard of it', () => {
  const { learn, moved, owner } = mapOfThree();
  learn('source', 'source', 1);
  moved('target');
  learn('replica', 'source', 1);
  assert.equal(owner(), 'target');
  learn('target', 'target', 2);
  learn('source', 'source', 1);
  assert.equal(owner(), 'target');
});

it('believes the owner again that a late MOVED forgot: the node that it names had been replaced', () => {
  const { learn, moved, owner } = mapOfThree();
  learn('source', 'source', 1);
  learn('replica', 'replica', 3); // it took the place of the target, which had taken the slot
  moved('target'); // by the source, which was busy meanwhile
  assert.equal(owner(), 'target');
  learn('source', 'replica', 3);
  assert.equal(owner(), 'target', 'others may say so for a moment after a slot has moved on');
  learn('replica', 'replica', 3);
  assert.equal(owner(), 'replica');
});

it('finds by its address the node that is there now, and not one that was there before', () => {
  const map = new SlotMap();
  for (const name of ['source', 'target'] as const) map.place(idOf(name), '10.0.0.1', 7_001, null);
  assert.equal(map.at('10.0.0.1', 7_001)?.id, idOf('target'));
});
