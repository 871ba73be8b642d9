import { type AddCommand, action, example } from '../action.ts';
import { integer } from '../options.ts';

interface Options {
  database?: string;
  after?: number;
  limit: number;
}

/** `events`: what happened, oldest first. */
export const addEvents: AddCommand = (program, host) => {
  program
    .command('events')
    .description('show what happened and what was decided')
    .option('--database <name>', 'only of this database')
    .option('--after <number>', 'only after this event', integer('--after', { min: 0, max: 1e15 - 1 }))
    .option('--limit <n>', 'how many at most', integer('--limit', { min: 1, max: 1000 }), 50)
    .addHelpText('after', example('valkeeper events --database main --limit 20'))
    .action(
      action<Options>(host, async (cli, { database, after, limit }) => {
        const list = await cli.client.events({
          limit: `${limit}`,
          ...(database === undefined ? {} : { database }),
          ...(after === undefined ? {} : { after: `${after}` }),
        });
        cli.print(list, () => {
          if (list.events.length === 0) return 'There are no events.';
          return list.events
            .map(({ seq, at, severity, database: about, message }) => {
              const mark = severity === 'info' ? '' : `${severity}: `;
              return `${seq}  ${at}  ${about ? `${about}: ` : ''}${mark}${message}`;
            })
            .join('\n');
        });
      }),
    );
};
