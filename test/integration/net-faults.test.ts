/** The harness of real machines does what it says: cuts, one-way cuts, losses, bandwidth, delay, power. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { before, describe, it, type TestContext } from 'node:test';
import { DelayRelay } from '../support/delay.ts';
import { type Host, makeHosts } from '../support/hosts.ts';
import { cut, ensureFaultTools, limitBandwidth, mend } from '../support/net-faults.ts';

const PORT = 9_000;
const NODE = process.execPath;
/** Says every line back; to `big`, a megabyte. */
const ECHO = `require('node:net').createServer((s) => { s.on('error', () => {}); s.on('data', (d) => s.write(String(d).startsWith('big') ? 'x'.repeat(1e6) : d)); }).listen(${PORT}, process.argv[1], () => console.log('ready'))`;
/** Asks once and tells how many milliseconds the answer took, or that none came. */
const ASK = `const [host, word, bytes] = process.argv.slice(1); const s = require('node:net').connect(${PORT}, host); let got = 0; const from = performance.now(); const end = (t) => { console.log(t); process.exit(0); }; s.on('connect', () => s.write(word + '\\n')); s.on('data', (d) => { got += d.length; if (got >= Number(bytes)) end(Math.round(performance.now() - from)); }); s.on('error', (e) => end(e.code)); setTimeout(() => end('silence'), 1500);`;

async function scene(t: TestContext): Promise<[Host, Host, Host]> {
  const hosts = makeHosts(t, 3);
  for (const host of hosts.slice(0, 2)) {
    const echo = host.spawn([NODE, '-e', ECHO, host.address]);
    while (!echo.output().includes('ready')) await once(echo.stdout!, 'data');
  }
  return hosts as [Host, Host, Host];
}

async function ask(from: Host, to: Host, word = 'hello', bytes = 6): Promise<string> {
  const { stdout } = await from.run([NODE, '-e', ASK, to.address, word, `${bytes}`]);
  return stdout.trim();
}

const isRoot = process.getuid?.() === 0;

describe('the network between hosts', { skip: isRoot ? false : 'namespaces need root' }, () => {
  before(ensureFaultTools);

  it('is cut both ways, from all or from one, and mended', async (t) => {
    const [a, b, c] = await scene(t);
    assert.match(await ask(c, a), /^\d+$/);
    await cut(a);
    assert.equal(await ask(c, a), 'silence');
    assert.match(await ask(c, b), /^\d+$/, 'the others go on');
    await cut(a, { with: [b] });
    assert.match(await ask(c, a), /^\d+$/);
    assert.equal(await ask(b, a), 'silence');
    await mend(a);
    assert.match(await ask(b, a), /^\d+$/);
  });

  it('is cut one way: a host hears and is not heard', async (t) => {
    const [a, b] = await scene(t);
    await cut(a, { outgoing: true });
    assert.equal(await ask(b, a), 'silence');
    // A datagram tells the direction; TCP needs both.
    const hears = `require('node:dgram').createSocket('udp4').on('message', () => { console.log('heard'); process.exit(0); }).bind(9001, '${a.address}')`;
    const listener = a.spawn([NODE, '-e', hears]);
    const send = `const s = require('node:dgram').createSocket('udp4'); setInterval(() => s.send('x', 9001, '${a.address}'), 50); setTimeout(() => process.exit(0), 1500)`;
    await b.run([NODE, '-e', send]);
    assert.match(listener.output(), /heard/);
    await cut(a, { incoming: true });
    assert.equal(await ask(b, a), 'silence');
  });

  it('loses some packets, and is slow', async (t) => {
    const [a, b] = await scene(t);
    const fast = Number(await ask(b, a, 'big', 1_000_000));
    await limitBandwidth(a, 10);
    const slow = Number(await ask(b, a, 'big', 1_000_000));
    // A megabyte at ten megabits takes 800 ms, less what the bucket holds.
    assert.ok(slow > 500 && slow > fast, `${fast} ms, then ${slow} ms`);
    await mend(a);
    await cut(a, { incoming: true, percent: 40 });
    const datagrams = 200;
    const count = `let n = 0; require('node:dgram').createSocket('udp4').on('message', () => { n += 1; }).bind(9002, '${a.address}', () => console.log('ready')); setTimeout(() => { console.log('got ' + n); process.exit(0); }, 2500)`;
    const counter = a.spawn([NODE, '-e', count]);
    while (!counter.output().includes('ready')) await once(counter.stdout!, 'data');
    const send = `const s = require('node:dgram').createSocket('udp4'); let n = 0; const t = setInterval(() => { s.send('x', 9002, '${a.address}'); if (++n === ${datagrams}) { clearInterval(t); setTimeout(() => process.exit(0), 100); } }, 2)`;
    await b.run([NODE, '-e', send]);
    await once(counter, 'exit');
    const got = Number(/got (\d+)/.exec(counter.output())?.[1]);
    assert.ok(got > datagrams * 0.4 && got < datagrams * 0.8, `${got} of ${datagrams} came through`);
  });

  it('ends all that runs on a host that loses power', async (t) => {
    const [a, b] = await scene(t);
    a.losePower();
    assert.equal(await ask(b, a), 'ECONNREFUSED');
  });
});

it('makes late what passes through a relay', async () => {
  const server = createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const relay = await DelayRelay.start(
    '127.0.0.1',
    { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    100,
  );
  try {
    const client = connect(relay.port, '127.0.0.1');
    const from = performance.now();
    client.write('hello');
    const [answer] = await once(client, 'data');
    assert.equal(String(answer), 'hello');
    assert.ok(performance.now() - from >= 190);
    client.destroy();
  } finally {
    relay.close();
    server.close();
  }
});
