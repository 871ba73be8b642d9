/** The page of the endpoint: its text is written by hand, its tables are made from the code. */
import { readFileSync } from 'node:fs';
import { metricsText } from '../src/main/endpoint-metrics.ts';
import { DEFAULT_LIMITS, type Limits } from '../src/proxy/limits.ts';

const PAGE = new URL('../docs/endpoint.md', import.meta.url);

/** What is limited, and what happens at the limit. Every limit has its row, or this does not compile. */
const MEANINGS: Record<keyof Limits, [what: string, then: string]> = {
  clients: ['clients at once', '`ERR max number of clients reached`, and closed'],
  commandBytes: ['bytes of one command', '`ERR Protocol error: a command is longer than the limit ...`, and closed'],
  inFlightPerClient: [
    'commands of one client without a reply',
    'it is read no further until half of them are answered',
  ],
  replyBytesPause: ['bytes of replies that a client has not taken', 'it is read no further until it has'],
  replyBytesClose: ['the same, or of one reply that must be put together or wait for its turn', 'closed'],
  waitingCommands: ['commands that wait for a node', '`CLUSTERDOWN ...; nothing was done`'],
  waitingBytes: ['their bytes', '`CLUSTERDOWN ...; nothing was done`'],
  acknowledgeMs: ['how long replicas may take to acknowledge writes, where they must', '`UNKNOWNOUTCOME`'],
  waitMs: ['how long a command waits for a node', '`CLUSTERDOWN ...; nothing was done. Try again later`'],
  transactionBytes: [
    'bytes of one transaction',
    '`ERR the transaction is larger than the limit ...`, and EXEC is refused',
  ],
  scriptBytes: ['bytes of scripts kept for EVALSHA', 'the oldest are forgotten; nodes still have them'],
  totalBytes: ['memory of all commands and replies under way', 'the client that has most of it is told so and closed'],
  idleMs: ['how long a client may say nothing', 'closed; not while it waits for a reply or is subscribed'],
  loginMs: ['how long a client may take to name its user', '`ERR no user was named within ...`, and closed'],
  handshakes: ['TLS handshakes that are not over', 'the next is closed'],
  handshakeMs: [
    'how long a handshake may take',
    'closed; a client that has said nothing for so long is taken to speak no TLS',
  ],
};

/** As the page has it: `512 MiB`, `10 s`, `20,000`; a time of 0 is no limit. */
function shown(name: string, value: number): string {
  if (name.endsWith('Ms')) return value === 0 ? 'none' : `${value / 1000} s`;
  if (/Bytes/.test(name)) return `${value / 1024 ** 2} MiB`;
  return value.toLocaleString('en-US');
}

function limitsTable(): string {
  const rows = (Object.keys(MEANINGS) as (keyof Limits)[]).map((name) => {
    const [what, then] = MEANINGS[name];
    return `| \`${name}\` | ${what} | ${shown(name, DEFAULT_LIMITS[name])} | ${then} |`;
  });
  return ['| limit | of what | default | what happens |', '|---|---|---|---|', ...rows].join('\n');
}

/** Prometheus' own text, of no database: names, kinds and meanings. */
const METRICS = await metricsText([]);

function metricsTable(): string {
  const kinds = new Map([...METRICS.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, kind]) => [name, kind]));
  const rows = [...METRICS.matchAll(/^# HELP (\S+) (.+)$/gm)].map(
    ([, name, help]) => `| \`${name}\` | ${kinds.get(name)} | ${help} |`,
  );
  return ['| metric | kind | meaning |', '|---|---|---|', ...rows].join('\n');
}

/** Text of docs/endpoint.md: as it is, with its tables made anew. */
export function renderEndpoint(): string {
  const tables: Record<string, string> = { limits: limitsTable(), metrics: metricsTable() };
  return Object.entries(tables).reduce(
    (text, [name, table]) => {
      const place = new RegExp(`(<!-- ${name} -->\n)[\\s\\S]*?(<!-- /${name} -->)`);
      if (!place.test(text)) throw new Error(`docs/endpoint.md has no place for the table of ${name}`);
      return text.replace(place, (_, before: string, after: string) => `${before}\n${table}\n\n${after}`);
    },
    readFileSync(PAGE, 'utf8'),
  );
}
