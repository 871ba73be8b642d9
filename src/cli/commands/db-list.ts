import { formatSize } from '../../domain/size.ts';
import { type AddCommand, action, example } from '../action.ts';
import { table } from '../table.ts';

/** `db list`: all databases, a line each. */
export const addDbList: AddCommand = (db, host) => {
  db.command('list')
    .description('list the databases')
    .addHelpText('after', example('valkeeper db list'))
    .action(
      action(host, async (cli) => {
        const list = await cli.client.databases();
        cli.print(list, () => {
          if (list.databases.length === 0) return 'There are no databases. Make one with `valkeeper db create NAME`.';
          const header = ['NAME', 'STATE', 'SHARDS', 'REPLICAS', 'MEMORY', 'PERSISTENCE', 'CONDITIONS'];
          const rows = list.databases.map(({ name, state, spec, conditions }) => [
            name,
            state,
            `${spec.shards}`,
            `${spec.replicas}`,
            formatSize(spec.memoryBytes),
            spec.persistence,
            conditions.map(({ code }) => code).join(', '),
          ]);
          return table(header, rows);
        });
      }),
    );
};
