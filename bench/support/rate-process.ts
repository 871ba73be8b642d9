/**
 * A load at a fixed rate, as a process of its own: commands become due by the clock, whether or not earlier ones were
 * answered; each takes the next free connection, one command at a time on each. A command's time runs from the moment at
 * which this program saw that it was due, so that waiting for a free connection counts, and being late itself does not
 * (that is told apart). Prints one line of JSON, see `RateResult`.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { type DataSet, keyOf } from './endpoint-loads.ts';
import type { RateResult } from './load-output.ts';
import { percentile } from './stats.ts';

export interface RateOptions {
  host: string;
  port: number;
  command: 'GET' | 'SET';
  data: DataSet;
  connections: number;
  perSecond: number;
  /** Before the measured time. */
  warmUpMs: number;
  measuredMs: number;
}

/** Waiting commands; so many are only there when the rate cannot be served. */
const MAX_WAITING = 100_000;
/** Sent commands that may still stand before the waiting ones. */
const MAX_TAKEN = 1_000;
const DRAIN_MS = 5_000;

const { host, port, command, data, connections, perSecond, warmUpMs, measuredMs } = JSON.parse(
  process.argv[2]!,
) as RateOptions;
const value = 'x'.repeat(data.bytes);
/** The length of the only reply that is right. */
const replyLength = command === 'SET' ? '+OK\r\n'.length : `$${data.bytes}\r\n`.length + data.bytes + 2;

interface Connection {
  socket: Socket;
  dueAt: number;
  received: number;
}

const free: Connection[] = [];
const waiting: number[] = [];
const times: number[] = [];
const late: number[] = [];
/** The first of `waiting` that have been sent. */
let taken = 0;
let sent = 0;
let answered = 0;
let done = (): void => {};
const drained = new Promise<void>((resolve) => (done = resolve));

const requestOf = (number: number): string => {
  const key = keyOf(data, number);
  const start = `*${command === 'SET' ? 3 : 2}\r\n$3\r\n${command}\r\n$${key.length}\r\n${key}\r\n`;
  return command === 'SET' ? `${start}$${value.length}\r\n${value}\r\n` : start;
};

await Promise.all(Array.from({ length: connections }, open));
const startedAt = performance.now();
const measuredFrom = startedAt + warmUpMs;
const endsAt = measuredFrom + measuredMs;
let due = 0;
let ticking = true;

// Timers of the event loop know whole milliseconds only, and a millisecond's commands in one burst are another load.
// A thread that sleeps a tenth of that wakes us; it waits until it was heard before it calls again.
const heard = new Int32Array(new SharedArrayBuffer(8));
const metronome = new Worker(
  `const { parentPort, workerData: cells } = require('node:worker_threads');
   while (cells[1] === 0) {
     Atomics.wait(cells, 1, 0, 0.1);
     if (Atomics.exchange(cells, 0, 1) === 0) parentPort.postMessage(0);
   }`,
  { eval: true, workerData: heard },
);
metronome.on('message', () => {
  Atomics.store(heard, 0, 0);
  tick();
});

function tick(): void {
  if (!ticking) return;
  const now = performance.now();
  const dueNow = Math.floor(((Math.min(now, endsAt) - startedAt) * perSecond) / 1000);
  for (; due < dueNow; due += 1) {
    if (now >= measuredFrom) late.push((now - startedAt - (due * 1000) / perSecond) * 1000);
    waiting.push(now);
  }
  if (waiting.length - taken > MAX_WAITING) throw new Error(`${perSecond} a second cannot be served`);
  send();
  if (now < endsAt) return;
  ticking = false;
  Atomics.store(heard, 1, 1);
  Atomics.notify(heard, 1);
  setTimeout(() => {
    throw new Error(`${due - answered} commands were not answered within ${DRAIN_MS} ms`);
  }, DRAIN_MS).unref();
  if (answered === due) done();
}

function send(): void {
  while (free.length > 0 && taken < waiting.length) {
    const connection = free.pop()!;
    connection.dueAt = waiting[taken]!;
    taken += 1;
    connection.received = 0;
    sent += 1;
    connection.socket.write(requestOf(Math.floor(Math.random() * data.keys)), 'latin1');
  }
  if (taken === waiting.length || taken > MAX_TAKEN) {
    waiting.splice(0, taken);
    taken = 0;
  }
}

async function open(): Promise<void> {
  const connection = { dueAt: 0, received: 0 } as Connection;
  connection.socket = connect({
    host,
    port,
    noDelay: true,
    onread: {
      buffer: Buffer.allocUnsafeSlow(65_536),
      callback: (length, buffer) => {
        onData(connection, length, buffer as Buffer);
        return true;
      },
    },
  });
  await once(connection.socket, 'connect');
  connection.socket.once('close', () => {
    if (answered < due || ticking) throw new Error('a connection was closed');
  });
  free.push(connection);
}

function onData(connection: Connection, length: number, buffer: Buffer): void {
  connection.received += length;
  const wrong = connection.received === length && buffer[0] !== (command === 'SET' ? 0x2b : 0x24);
  if (wrong || connection.received > replyLength) {
    throw new Error(`not the reply to a ${command}: ${buffer.toString('latin1', 0, Math.min(length, 80))}`);
  }
  if (connection.received < replyLength) {
    if (length < 8 || buffer.toString('latin1', 0, 3) === '$-1') throw new Error('a key is missing');
    return;
  }
  const now = performance.now();
  if (connection.dueAt >= measuredFrom) times.push((now - connection.dueAt) * 1000);
  answered += 1;
  free.push(connection);
  if (ticking) tick();
  else send();
  if (!ticking && answered === due) done();
}

await drained;
await metronome.terminate();
for (const { socket } of free) socket.destroy();
const result: RateResult = {
  p50: percentile(times, 50),
  p99: percentile(times, 99),
  max: percentile(times, 100),
  operations: sent,
  perSecond: (times.length * 1000) / measuredMs,
  lateP99: percentile(late, 99),
};
process.stdout.write(`${JSON.stringify(result)}\n`);
