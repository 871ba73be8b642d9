import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openMemoryStore } from '../store/memory.ts';
import type { Store } from '../store/store.ts';
import { Records } from './records.ts';

interface Thing {
  name: string;
  size: number;
}

class Things extends Records<Thing> {
  static open(store: Store): Promise<Things> {
    const [notFound, exists] = [(name: string) => new Error(`no ${name}`), (name: string) => new Error(`a ${name}`)];
    return new Things(store, { prefix: 'things/', upToDate: (stored) => stored, notFound, exists }).read();
  }

  replace(thing: Thing): Promise<boolean> {
    return this.put(thing, []);
  }
}

test('the list of all records is the same until one of them changes, and another after every way to change one', async () => {
  const store = openMemoryStore();
  const things = await Things.open(store);
  const shown = (): string =>
    things
      .all()
      .map(({ name, size }) => `${name}:${size}`)
      .join(' ');

  await things.add({ name: 'thing-10', size: 1 });
  await things.add({ name: 'thing-2', size: 1 });
  const all = things.all();
  assert.equal(shown(), 'thing-2:1 thing-10:1');
  assert.equal(things.all(), all);
  await things.change('thing-2', (thing) => thing);
  assert.equal(things.all(), all);

  await things.change('thing-2', (thing) => ({ ...thing, size: 2 }));
  assert.equal(shown(), 'thing-2:2 thing-10:1');
  await things.replace({ name: 'thing-10', size: 3 });
  assert.equal(shown(), 'thing-2:2 thing-10:3');
  await store.commit([{ put: 'things/thing-2', value: { name: 'thing-2', size: 9 } }]);
  assert.equal(await things.replace({ name: 'thing-2', size: 5 }), false, 'somebody else has changed it');
  assert.equal(shown(), 'thing-2:9 thing-10:3');
  await things.remove('thing-10');
  assert.equal(shown(), 'thing-2:9');
  assert.equal(all.length, 2, 'what was told before stays as it was');
});
