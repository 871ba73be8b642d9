import assert from 'node:assert/strict';
import { it } from 'node:test';
import { tlsDirectives, tlsReload } from './tls-directives.ts';

const FILES = { identity: '/data/tls/machine.pem', authorities: '/data/tls/authorities.pem' };

it('a node with TLS listens with TLS only, each line once', () => {
  const directives = tlsDirectives(FILES, 7000);
  const lines = new Map(directives);
  assert.equal(lines.size, directives.length);
  assert.deepEqual([lines.get('port'), lines.get('tls-port')], ['0', '7000']);
  for (const side of ['tls-auth-clients', 'tls-replication', 'tls-cluster']) assert.equal(lines.get(side), 'yes');
});

it('what is read anew are the files that it was started with', () => {
  const lines = new Map(tlsDirectives(FILES, 7000));
  const reload = Object.entries(tlsReload(FILES));
  assert.deepEqual(new Set(reload.map(([, path]) => path)), new Set(Object.values(FILES)));
  for (const [name, path] of reload) assert.equal(lines.get(name), path);
});
