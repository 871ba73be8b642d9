import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ValkeeperError } from '../domain/errors.ts';
import { readSpecs } from './spec-file.ts';

const MIB = 1024 ** 2;

/** What is said of a text that cannot be applied, a line each. */
function mistakesIn(text: string): string[] {
  try {
    readSpecs(text, 'f');
  } catch (error) {
    assert.ok(error instanceof ValkeeperError);
    assert.equal(error.code, 'spec_file_invalid');
    return error.message.split('\n').slice(1);
  }
  return [];
}

describe('a spec file', () => {
  it('is read, a database for each document, and what it leaves out stays unsaid', () => {
    const text = `
# orders first
name: orders
shards: 3
replicas: 1
memory: 1gb
persistence: aof
eviction: noeviction
auth: true
---
name: cache
memory: 64mb # enough
---
`;
    const full = { shards: 3, replicas: 1, memoryBytes: 1024 * MIB, persistence: 'aof', eviction: 'noeviction' };
    assert.deepEqual(readSpecs(text, 'f'), [
      { name: 'orders', spec: { ...full, auth: true } },
      { name: 'cache', spec: { memoryBytes: 64 * MIB } },
    ]);
    assert.deepEqual(readSpecs('{name: a, persistence: none}', 'f'), [{ name: 'a', spec: { persistence: 'none' } }]);
    assert.deepEqual(readSpecs('name: a\nshards: &n 2\nreplicas: *n', 'f')[0]?.spec, { shards: 2, replicas: 2 });
  });

  it('is told of an alias that stands for nothing', () => {
    assert.deepEqual(mistakesIn('name: a\nshards: *n\nreplicas: &n 1'), ['f:2:9: *n: no value before it is marked &n']);
  });

  it('is told all that is wrong with it at once, each with line and column', () => {
    const text = [
      'name: Orders',
      'shards: 0',
      'replica: 1',
      'memory: 1024',
      'persistence: disk',
      'auth: yes',
      '---',
      'shards: [3]',
      'eviction:',
      'colour: red',
    ].join('\n');
    assert.deepEqual(mistakesIn(text), [
      'f:1:7: name: must be 1 to 40 lower-case letters, digits and hyphens, starting with a letter, is Orders',
      'f:2:9: shards: must be 1 to 500, is 0',
      'f:3:1: replica: unknown field; did you mean replicas?',
      'f:4:9: memory: must be a size with a unit, such as 512mb or 2gb, is 1024',
      'f:5:14: persistence: must be one of none, snapshot, aof, aof-always, is disk',
      'f:6:7: auth: must be true or false, is yes',
      'f:8:1: name: missing',
      'f:8:9: shards: must be 1 to 500, is a list',
      'f:9:10: eviction: must be one of noeviction, allkeys-lru, allkeys-lfu, allkeys-random, volatile-lru, volatile-lfu, volatile-random, volatile-ttl, is empty',
      'f:10:1: colour: unknown field',
    ]);
  });

  it('lists users with their rules, each mistake at its place', () => {
    const text = `
name: orders
port: 6400
read: nearest-zone
users:
  - name: app
    rules: ~app:* +@all
  - name: web
    rules: +get
`;
    const users = [
      { name: 'app', rules: '~app:* +@all' },
      { name: 'web', rules: '+get' },
    ];
    assert.deepEqual(readSpecs(text, 'f'), [{ name: 'orders', spec: { port: 6400, read: 'nearest-zone', users } }]);
    assert.deepEqual(mistakesIn('name: a\nusers: app\nport: 0\nread: all\n'), [
      'f:2:8: users: must be a list of users with name and rules, is app',
      'f:3:7: port: must be 1 to 65535, is 0',
      'f:4:7: read: must be one of primary, replica, nearest-zone, is all',
    ]);
    const wrong = `name: a
users:
  - name: default
    rules: +get
  - name: app
  - {name: app, rules: +get, password: secret}
  - {name: app, rules: '>secret'}
`;
    assert.deepEqual(mistakesIn(wrong), [
      "f:3:5: users: the name default is Valkeeper's own",
      'f:5:5: users: each has a name and rules, both texts, and nothing else',
      'f:6:5: users: each has a name and rules, both texts, and nothing else',
      'f:7:5: users: app: passwords are made by Valkeeper (`valkeeper db password`)',
    ]);
    const twice = 'name: a\nusers: [{name: x, rules: +get}, {name: x, rules: +set}]\n';
    assert.deepEqual(mistakesIn(twice), ['f:2:8: users: the user x is listed twice']);
  });

  it('is refused when it is no YAML, names nothing, names one twice, or is too much', () => {
    assert.match(mistakesIn('name: a\n  shards: 3')[0]!, /^f:1:7: Nested mappings/);
    assert.match(mistakesIn('name: a\nname: b')[0]!, /^f:2:1: .*unique/);
    assert.match(mistakesIn('')[0]!, /^f:1:1: no database/);
    assert.match(mistakesIn('just words')[0]!, /^f:1:1: must be a list of fields/);
    assert.deepEqual(mistakesIn('name: a\n---\nname: a'), ['f:3:7: name: a is in this file twice']);
    assert.match(mistakesIn(`name: a # ${'x'.repeat(MIB)}`)[0]!, /larger than 1mb/);
    assert.match(mistakesIn('name: a\n---\n'.repeat(101))[0]!, /more than 100 documents/);
    assert.deepEqual(mistakesIn('name: a\nshards: 4\nmemory: 16mb'), [
      'f:3:9: memory: must be at least 32mb, is 16mb for 4 shards',
    ]);
    assert.deepEqual(mistakesIn('name: a\nshards: 100'), [
      'f:2:9: memory: must be at least 800mb, is 256mb for 100 shards',
    ]);
  });
});
