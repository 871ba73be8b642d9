/** Inputs for the endpoint, each from chance alone: commands as they should be, and everything else. */
import { allCommands } from '../../src/proxy/commands/facts.ts';
import { encodeCommand } from '../../src/resp/encode.ts';
import type { Random } from '../sim/random.ts';

/** What would rightly do something to other clients: it empties databases, ends or holds clients, changes the engine. */
const HARMFUL = new Set([
  ...['flushall', 'flushdb', 'client|kill', 'client|pause', 'client|unblock', 'config|set', 'config|resetstat'],
]);

const NAMES: readonly (readonly string[])[] = [...allCommands()]
  .filter(({ name, subcommands }) => !HARMFUL.has(name) && subcommands.size === 0)
  .map(({ name }) => name.split('|'));

const WORDS = [
  ...['0', '1', '-1', '2', '10', '9223372036854775807', '-9223372036854775808', '1e400', 'nan', '0.5', '', ' ', '*'],
  ...['GET', 'WITHSCORES', 'LIMIT', 'STREAMS', 'BLOCK', 'COUNT', 'MATCH', 'STORE', 'BY', 'EX', 'NX', 'KEYS', 'AUTH'],
  ...['>', '$', '+', '-', '(1', '[a', 'a\r\n+OK\r\n', '\r\n', "'", '"', '\x00', '\xff\xfe', '{', '}', '{a}', '3', '16'],
];
const CUTS = ['\r\n', '\r', '\n', '*', '$', '-', ' ', '\x00', '*1\r\n', '$-1\r\n', '$0\r\n\r\n', '*0\r\n', '"', '\xff'];
const COUNTS = ['0', '-1', '1', '01', '00', '+1', '2147483647', '2147483648', '536870912', '536870913', '1e3', '', 'x'];

const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1');

/** One of a few keys that only fuzzing clients use. */
const key = (random: Random): string => `fuzz:${random.below(40)}${random.chance(0.2) ? '{t}' : ''}`;

function argument(random: Random): Buffer {
  const kind = random.below(10);
  if (kind < 4) return bytesOf(key(random));
  if (kind < 8) return bytesOf(random.pick(WORDS));
  return noise(random, random.chance(0.02) ? 20_000 : 40);
}

function noise(random: Random, most: number): Buffer {
  return Buffer.from(Array.from({ length: random.below(most) }, () => random.below(256)));
}

/** A command of the engine with arguments of any kind; its name as it should be. */
function anyCommand(random: Random): Buffer {
  const name = random.pick(NAMES).map(bytesOf);
  return encodeCommand([...name, ...Array.from({ length: random.below(6) }, () => argument(random))]);
}

/** One that does what it should. */
function goodCommand(random: Random): Buffer {
  const one = key(random);
  switch (random.below(9)) {
    case 0:
      return encodeCommand(['SET', one, noise(random, random.chance(0.01) ? 200_000 : 200)]);
    case 1:
      return encodeCommand(['MGET', one, key(random), key(random), key(random)]);
    case 2:
      return encodeCommand(['MSET', one, 'a', key(random), 'b']);
    case 3:
      return Buffer.concat(['MULTI', 'PING', 'EXEC'].map((name) => encodeCommand([name])));
    case 4:
      return encodeCommand(['DEL', one, key(random)]);
    case 5:
      return encodeCommand(['HELLO', random.chance(0.5) ? 2 : 3]);
    case 6:
      return encodeCommand(['PING', noise(random, 30)]);
    case 7:
      return encodeCommand(['SELECT', random.below(3)]);
    default:
      return encodeCommand(['GET', one]);
  }
}

/** A command with some bytes changed, put in, taken away or doubled. */
function mutated(random: Random, command: Buffer): Buffer {
  let bytes = command;
  for (let times = 1 + random.below(4); times > 0; times -= 1) {
    const at = random.below(bytes.length + 1);
    const to = Math.min(bytes.length, at + random.below(6));
    const put = [
      Buffer.from([random.below(256)]),
      bytesOf(random.pick(CUTS)),
      bytesOf(random.pick(COUNTS)),
      bytes.subarray(at, to),
      Buffer.alloc(0),
    ][random.below(5)]!;
    bytes = Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(random.chance(0.5) ? at : to)]);
  }
  return bytes;
}

function lengths(random: Random): Buffer {
  const count = random.pick(COUNTS);
  switch (random.below(4)) {
    case 0:
      return bytesOf(`*${count}\r\n`);
    case 1:
      return bytesOf(`*2\r\n$3\r\nGET\r\n$${count}\r\n${key(random)}`);
    case 2:
      return bytesOf(`*${'9'.repeat(random.below(70_000))}`);
    default:
      return bytesOf(`*3\r\n$3\r\nSET\r\n$6\r\nfuzz:1\r\n$${random.below(3_000_000)}\r\nabc`);
  }
}

function inline(random: Random): Buffer {
  const line = Array.from({ length: 1 + random.below(5) }, () => {
    const word = random.chance(0.3) ? random.pick(NAMES).join(' ') : argument(random).toString('latin1');
    return random.chance(0.3) ? `"${word}` : word;
  }).join(' ');
  // What a line names may be anything: nothing that would harm others.
  const isHarmful = /flush|config|client|script|function/i.test(line);
  return bytesOf(isHarmful ? 'PING\r\n' : `${line}${random.pick(['\r\n', '\n', '\r', '', '\x00\r\n'])}`);
}

/** The next input; what kind it is, is chance too. */
export function nextInput(random: Random): Buffer {
  const kind = random.below(100);
  if (kind < 30) return goodCommand(random);
  if (kind < 55) return anyCommand(random);
  if (kind < 75) return mutated(random, random.chance(0.5) ? goodCommand(random) : anyCommand(random));
  if (kind < 80) {
    const whole = goodCommand(random);
    return whole.subarray(0, random.below(whole.length));
  }
  if (kind < 85) return lengths(random);
  if (kind < 93) return inline(random);
  if (kind < 96) return bytesOf('*1\r\n'.repeat(1 + random.below(200)));
  return noise(random, random.chance(0.02) ? 100_000 : 300);
}
