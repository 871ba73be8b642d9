import type { FleetStatus } from '../../protocol/api.ts';
import { type AddCommand, action, example } from '../action.ts';
import { table } from '../table.ts';
import { describeMachines } from './machine-list.ts';

/** `status`: whether it runs, where, and how its machines and databases are. */
export const addStatus: AddCommand = (program, host) => {
  program
    .command('status')
    .description('show what runs here')
    .addHelpText('after', example('valkeeper status'))
    .action(
      action(host, async (cli) => {
        const status = await cli.client.status();
        cli.print(status, () => describeFleet(status));
      }),
    );
};

/** What runs, its machines, its databases. */
function describeFleet(status: FleetStatus): string {
  const { version, pid, startedAt, engineVersion, dataDir, stopping, machines, databases } = status;
  const state = stopping ? 'is stopping' : 'runs';
  return [
    `Valkeeper ${version} ${state} as process ${pid} since ${startedAt}, with Valkey ${engineVersion}; data in ${dataDir}`,
    describeMachines(machines),
    databases.length > 0
      ? table(
          ['DATABASE', 'STATE'],
          databases.map((database) => [database.name, database.state]),
        )
      : 'There are no databases.',
  ].join('\n\n');
}
