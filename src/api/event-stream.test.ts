import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import type { ControlPlane, EventQuery } from '../control/control-plane.ts';
import type { Event } from '../domain/event.ts';
import { createApi } from './server.ts';

/** A log of events with what the stream needs of a control plane. */
function createLog() {
  const all: Event[] = [];
  const listeners = new Set<(event: Event) => void>();
  const append = (database: string): void => {
    const seq = all.length + 1;
    const event: Event = { seq, at: '', kind: 'database_state', severity: 'info', database, message: `number ${seq}` };
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
  run: (log: ReturnType<typeof createLog>, open: typeof Stream.open, close: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const log = createLog();
  const nothing = { shutDown: async () => {}, afterShutDown: () => {} };
  const api = createApi({ control: log.control, token: 'right', log: pino({ enabled: false }), ...nothing });
  const port = await api.listen(0);
  try {
    await run(
      log,
      (path, headers) => Stream.open(`http://127.0.0.1:${port}/v1/events/stream${path}`, headers),
      () => api.close(),
    );
  } finally {
    await api.close();
  }
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
  await withStream(async ({ listeners }, open, close) => {
    const stream = await open('');
    assert.equal(listeners.size, 1);
    const [text] = await Promise.all([stream.readToEnd(), close()]);
    assert.match(text, /: the server stops\n\n$/);
    assert.equal(listeners.size, 0);
  });
});
