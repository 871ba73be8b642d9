import assert from 'node:assert/strict';
import { it } from 'node:test';
import { valkeeperError } from '../../test/support/errors.ts';
import { joinUrlsOf, parseListen } from './fleet-listener.ts';

it('where a server listens is an address, with a port or without', () => {
  assert.deepEqual(parseListen('10.0.0.1'), { address: '10.0.0.1', port: 7440 });
  assert.deepEqual(parseListen('10.0.0.1:9000'), { address: '10.0.0.1', port: 9000 });
  for (const text of ['', 'localhost', ':9000', '10.0.0.1:', '10.0.0.1:0', '10.0.0.1:65536', '10.0.0.1:1:2', '::1']) {
    assert.throws(() => parseListen(text), valkeeperError('invalid_value', /--listen/), text);
  }
});

it('machines are told of an address that they can reach', () => {
  assert.deepEqual(joinUrlsOf({ address: '10.0.0.1', port: 9000 }), ['https://10.0.0.1:9000']);
  const everywhere = joinUrlsOf({ address: '0.0.0.0', port: 9000 });
  assert.ok(
    everywhere.every(
      (url) => /^https:\/\/\d+\.\d+\.\d+\.\d+:9000$/.test(url) && !url.includes('//0.') && !url.includes('//127.'),
    ),
  );
});
