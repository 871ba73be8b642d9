/** Where an RDB ends, however it comes in pieces; what a real node streams is in test/integration/rdb-stream.test.ts. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { it, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { openRdbStream } from './rdb-stream.ts';

const MARK = 'e'.repeat(40);

/** A server that answers SYNC with these pieces. */
async function serving(t: TestContext, pieces: readonly string[]): Promise<number> {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => {});
    socket.on('data', async (data) => {
      const text = String(data);
      if (text.includes('rdb-only')) socket.write('+OK\r\n+OK\r\n+OK\r\n');
      if (!text.includes('SYNC')) return;
      for (const piece of pieces) {
        socket.write(piece);
        await pause(2);
      }
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

async function received(t: TestContext, pieces: readonly string[]): Promise<string> {
  const port = await serving(t, pieces);
  const { bytes } = await openRdbStream({ host: '127.0.0.1', port, connectTimeoutMs: 2_000 }, Date.now);
  let text = '';
  for await (const chunk of bytes) text += chunk.toString();
  return text;
}

const LONG = 'd'.repeat(100);

for (const [what, pieces, wanted] of [
  ['whole', [`$EOF:${MARK}\r\n${LONG}${MARK}`], LONG],
  ['head, data and mark apart', [`$EOF:${MARK}\r\n`, LONG, MARK], LONG],
  ['the mark in two', [`\n\n$EOF:${MARK}\r\n${LONG}`, MARK.slice(0, 3), MARK.slice(3)], LONG],
  ['the mark in many', [`$EOF:${MARK}\r\n`, LONG, ...MARK.slice(0, 20), `${MARK.slice(20)}`], LONG],
  ['shorter than a mark', [`$EOF:${MARK}\r\nab`, `c${MARK}`], 'abc'],
  ['nothing', [`$EOF:${MARK}\r\n`, MARK], ''],
  [
    'what begins as the mark does',
    [`$EOF:${MARK}\r\n`, `${MARK}x${LONG}`, `ee${LONG}`, MARK],
    `${MARK}x${LONG}ee${LONG}`,
  ],
  ['counted', ['$6\r\n', 'ab', 'cdef'], 'abcdef'],
] as const) {
  it(`ends where it ends: ${what}`, async (t) => {
    assert.equal(await received(t, pieces), wanted);
  });
}
