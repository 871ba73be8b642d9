import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { pino } from 'pino';
import type { ControlPlane, EventQuery } from '../control/control-plane.ts';
import type { Event } from '../domain/event.ts';
import type { StreamLimits } from './event-stream.ts';
import { createApi } from './server.ts';

/** A log of events with what the stream needs of a control plane. */
function createLog() {
  const all: Event[] = [];
  const listeners = new Set<(event: Event) => void>();
  const append = (database: string, more = ''): void => {
    const seq = all.length + 1;
    const event: Event = {
      seq,
      at: '',
      kind: 'database_state',
      severity: 'info',
      database,
      message: `number ${seq}${more}`,
    };
    all.push(event);
    for (const listener of listeners) listener(event);
  };
  const control = {
    events: async ({ after, limit = 100, database }: EventQuery) => {
      const wanted = all.filter((event) => database === undefined || event.database === database);
      return after === undefined ? wanted.slice(-limit) : wanted.filter(({ seq }) => seq > after).slice(0, limit);
    },
    followEvents: (listener: (event: Event) => void) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  } as unknown as ControlPlane;
  return { append, control, listeners };
}

/** Runs a test with a server on such a log, and closes it. */
async function withStream(
  run: (log: ReturnType<typeof createLog>, open: typeof Stream.open, server: Server) => Promise<void>,
  streamLimits: Partial<StreamLimits> = {},
): Promise<void> {
  const log = createLog();
  const nothing = { shutDown: async () => {}, afterShutDown: () => {}, streamLimits };
  const api = createApi({ control: log.control, token: 'right', log: pino({ enabled: false }), ...nothing });
  const port = await api.listen(0);
  const connections = promisify(api.httpServer.getConnections.bind(api.httpServer));
  try {
    const open = (path: string, headers?: Record<string, string>) =>
      Stream.open(`http://127.0.0.1:${port}/v1/events/stream${path}`, headers);
    await run(log, open, { port, connections, close: () => api.close() });
  } finally {
    await api.close();
  }
}

interface Server {
  port: number;
  connections: () => Promise<number>;
  close: () => Promise<void>;
}

class Stream {
  #text = '';
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #leave: AbortController;

  private constructor(reader: ReadableStreamDefaultReader<Uint8Array>, leave: AbortController) {
    this.#reader = reader;
    this.#leave = leave;
  }

  static async open(url: string, headers: Record<string, string> = {}): Promise<Stream> {
    const leave = new AbortController();
    const response = await fetch(url, {
      headers: { authorization: 'Bearer right', ...headers },
      signal: leave.signal,
    });
    assert.equal(response.headers.get('content-type'), 'text/event-stream');
    const stream = new Stream(response.body!.getReader(), leave);
    await stream.read(/: events after/);
    return stream;
  }

  /** Reads on until the text is there. @throws when the stream ends before it */
  async read(words: RegExp): Promise<string> {
    while (!words.test(this.#text)) {
      const { value, done } = await this.#reader.read();
      assert.ok(!done, `ended without ${words}: ${this.#text}`);
      this.#text += new TextDecoder().decode(value);
    }
    return this.#text;
  }

  async readToEnd(): Promise<string> {
    for (let part = await this.#reader.read(); !part.done; part = await this.#reader.read()) {
      this.#text += new TextDecoder().decode(part.value);
    }
    return this.#text;
  }

  get numbers(): number[] {
    return [...this.#text.matchAll(/^id: (\d+)$/gm)].map(([, number]) => Number(number));
  }

  leave(): void {
    this.#leave.abort();
  }
}

test('tells what happens from now on, each event once', async () => {
  await withStream(async ({ append }, open) => {
    append('a');
    const stream = await open('');
    append('a');
    await stream.read(/number 2/);
    append('b');
    const text = await stream.read(/number 3"}\n\n/);
    assert.deepEqual(stream.numbers, [2, 3]);
    assert.match(text, /^id: 3\nevent: database_state\ndata: \{"seq":3,.*"database":"b"/m);
    stream.leave();
  });
});

test('resumes after a number, by query or by header, without a gap, over many pages, of one database', async () => {
  await withStream(async ({ append }, open) => {
    for (let n = 1; n <= 1000; n += 1) append(n % 2 ? 'odd' : 'even');
    const whole = await open('?after=5');
    await whole.read(/number 1000"/);
    assert.deepEqual(
      whole.numbers,
      Array.from({ length: 995 }, (_, index) => index + 6),
    );
    whole.leave();
    const even = await open('?after=5&database=even', { 'last-event-id': '990' });
    append('odd');
    append('even');
    await even.read(/number 1002"/);
    assert.deepEqual(even.numbers, [992, 994, 996, 998, 1000, 1002]);
    even.leave();
  });
});

test('ends with a word when the server closes, and listens no more', async () => {
  await withStream(async ({ listeners }, open, { close }) => {
    const stream = await open('');
    assert.equal(listeners.size, 1);
    const [text] = await Promise.all([stream.readToEnd(), close()]);
    assert.match(text, /: the server stops\n\n$/);
    assert.equal(listeners.size, 0);
  });
});

test('says now and then that it is alive, and only when nothing else is said', async () => {
  const run = async ({ append }: ReturnType<typeof createLog>, open: typeof Stream.open): Promise<void> => {
    const stream = await open('');
    await stream.read(/(: alive\n\n){3}/);
    append('a');
    await stream.read(/number 1"}\n\n: alive\n\n/);
    stream.leave();
  };
  await withStream(run, { heartbeatMs: 20 });
});

test('takes so many readers and no more, until one leaves', async () => {
  await withStream(
    async ({ listeners }, open, { port }) => {
      const readers = [await open(''), await open('')];
      const headers = { authorization: 'Bearer right' };
      const refused = await fetch(`http://127.0.0.1:${port}/v1/events/stream`, { headers });
      assert.equal(refused.status, 503);
      const { code, message } = (await refused.json()) as { code: string; message: string };
      assert.equal(code, 'too_many_streams');
      assert.match(message, /\b2\b/);
      readers[0]!.leave();
      while (listeners.size === 2) await new Promise((resolve) => setImmediate(resolve));
      const next = await open('');
      readers[1]!.leave();
      next.leave();
    },
    { streams: 2 },
  );
});

/** A reader that takes the beginning and then nothing, while more happens than the sockets in between can hold. */
async function sleeper(port: number, append: (database: string, more: string) => void): Promise<Socket> {
  const reader = connect(port, '127.0.0.1');
  reader.on('error', () => {}); // to be cut off is what it is for
  reader.write('GET /v1/events/stream HTTP/1.1\r\nhost: x\r\nauthorization: Bearer right\r\n\r\n');
  await once(reader, 'data');
  reader.pause();
  for (let n = 0; n < 200; n += 1) append('a', 'x'.repeat(100_000));
  return reader;
}

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

test('lets go a reader that takes nothing for long, with a word', async () => {
  await withStream(
    async ({ append, listeners }, _open, { port }) => {
      const reader = await sleeper(port, append);
      while (listeners.size > 0) await turn();
      let end = '';
      reader.on('data', (part: Buffer) => {
        end = (end + part.toString()).slice(-200);
      });
      reader.resume();
      while (!end.includes(': too slow, come again\n\n')) await turn();
      reader.destroy();
    },
    { slowMs: 200 },
  );
});

test('cuts off a reader that does not even take the last word', async () => {
  await withStream(
    async ({ append, listeners }, _open, { port, connections }) => {
      const reader = await sleeper(port, append);
      while (listeners.size > 0) await turn();
      assert.equal(await connections(), 1);
      while ((await connections()) > 0) await turn();
      reader.destroy();
    },
    { slowMs: 200 },
  );
});
