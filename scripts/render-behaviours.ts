/** What clients may expect of the endpoint, as a page for people. */
import { BEHAVIOURS } from '../test/compat/behaviours.ts';
import type { Behaviour } from '../test/compat/stage.ts';

/** Text of docs/endpoint-behaviour.md. */
export function renderBehaviours(): string {
  const count = BEHAVIOURS.reduce((sum, { rows }) => sum + rows.length, 0);
  return [
    '# What a client may expect of the endpoint',
    `${count} behaviours. Each is tried with ioredis, node-redis, iovalkey and Valkey GLIDE, opened as for a single server, in RESP2 and\n` +
      'in RESP3 where they speak it, on a database of three shards. Where one does not apply to a client, the reason is\n' +
      'named; it is never the endpoint.\n\n' +
      'This page is generated from `test/compat/behaviours.ts` by `npm run docs`. What happens with each command:\n' +
      '[commands.md](commands.md).',
    ...BEHAVIOURS.map(({ title, rows }) => [`## ${title}`, table(rows)].join('\n\n')),
    '## Programs that are tried as they are',
    'Each is run for real, in `test/compat/users/`.',
    ['| Program | What it needs |', '|---|---|', ...USERS.map(([name, needs]) => `| ${name} | ${needs} |`)].join('\n'),
  ]
    .join('\n\n')
    .concat('\n');
}

const USERS: readonly (readonly [name: string, needs: string])[] = [
  [
    'Job queue: `bullmq`',
    "A prefix in braces, as it asks of every cluster: `new Queue(name, { prefix: '{jobs}' })`, the same for `Worker` and `QueueEvents`. Without, its scripts are refused: the error names two of the keys.",
  ],
  ['Session store: `express-session` with `connect-redis`', 'Nothing.'],
  ['Rate limiter: `rate-limiter-flexible`', 'Nothing.'],
  [
    'Distributed lock: `@sesamecare-oss/redlock`',
    'Nothing for locks on one resource; the resources of one lock have the same `{tag}`. One endpoint counts as one server.',
  ],
  ['Socket adapter: `@socket.io/redis-adapter` with `socket.io`', 'Nothing; the sharded adapter works, too.'],
];

function table(rows: readonly Behaviour[]): string {
  return ['| Behaviour | | Not |', '|---|---|---|', ...rows.map(row)].join('\n');
}

function row({ id, says, except = {} }: Behaviour): string {
  const reasons = Object.entries(except).map(([client, reason]) => `${client}: ${reason}`);
  return `| ${[`\`${id}\``, says, reasons.join('<br>')].map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}
