import assert from 'node:assert/strict';
import { it } from 'node:test';
import { isLoopback, mayListen } from './plain-text.ts';

it('loopback is what no other host reaches', () => {
  for (const address of ['127.0.0.1', '127.64.3.2', '::1']) assert.ok(isLoopback(address), address);
  for (const address of ['10.0.0.1', '0.0.0.0', '::', 'db.example.com', '1.127.0.1', '2001:db8::1'])
    assert.ok(!isLoopback(address), address);
});

it('plain text beyond loopback is refused unless it is meant', () => {
  const far = '10.0.0.1';
  assert.equal(mayListen({ address: far, tls: false, plainText: false }), false);
  assert.equal(mayListen({ address: far, tls: true, plainText: false }), true);
  assert.equal(mayListen({ address: far, tls: false, plainText: true }), true);
  assert.equal(mayListen({ address: '127.0.0.1', tls: false, plainText: false }), true);
});
