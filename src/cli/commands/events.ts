import { ERROR_KINDS, toErrorDocument } from '../../domain/errors.ts';
import type { Event } from '../../domain/event.ts';
import { type AddCommand, action, example } from '../action.ts';
import type { Cli } from '../cli.ts';
import { integer } from '../options.ts';

interface Query {
  database?: string;
  after?: number;
  limit: number;
}

type Options = Query & { follow: boolean };

/** `events`: what happened, oldest first. */
export const addEvents: AddCommand = (program, host) => {
  program
    .command('events')
    .description('show what happened and what was decided')
    .option('--database <name>', 'only of this database')
    .option('--after <number>', 'only after this event', integer('--after', { min: 0, max: 1e15 - 1 }))
    .option('--limit <n>', 'how many at most', integer('--limit', { min: 1, max: 1000 }), 50)
    .option('--follow', 'go on with what happens, until Ctrl-C; with --json one document a line', false)
    .addHelpText('after', example('valkeeper events --database main --limit 20', 'valkeeper events --follow --json'))
    .action(
      action<Options>(host, (cli, { follow, ...query }) => (follow ? followEvents(cli, query) : list(cli, query))),
    );
};

async function list(cli: Cli, query: Query): Promise<void> {
  const found = await cli.client.events(query);
  cli.print(found, () => (found.events.length === 0 ? 'There are no events.' : found.events.map(line).join('\n')));
}

/** What `list` shows, and then every event as it happens. With --json each line is a document, an error's too. */
async function followEvents(cli: Cli, query: Query): Promise<void> {
  const write = (document: unknown, text: string): void => {
    cli.host.stdout.write(`${cli.json ? JSON.stringify(document) : text}\n`);
  };
  try {
    const { events } = await cli.client.events(query);
    for (const event of events) write(event, line(event));
    const after = events.at(-1)?.seq ?? query.after ?? 0;
    for await (const event of cli.client.follow({ database: query.database, after })) write(event, line(event));
  } catch (error) {
    if (!cli.json) throw error;
    const document = toErrorDocument(error);
    write({ error: document }, '');
    process.exitCode = ERROR_KINDS[document.kind].exit;
  }
}

function line({ seq, at, severity, database, message }: Event): string {
  const mark = severity === 'info' ? '' : `${severity}: `;
  return `${seq}  ${at}  ${database ? `${database}: ` : ''}${mark}${message}`;
}
