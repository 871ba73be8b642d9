import type { FleetStatus, ServersStatus } from '../../protocol/api.ts';
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
  const { version, pid, startedAt, engineVersion, dataDir, stopping, machines, databases, servers } = status;
  const state = stopping ? 'is stopping' : 'runs';
  return [
    `Valkeeper ${version} ${state} as process ${pid} since ${startedAt}, with Valkey ${engineVersion}; data in ${dataDir}`,
    ...describeServers(servers),
    describeMachines(machines),
    databases.length > 0
      ? table(
          ['DATABASE', 'STATE'],
          databases.map((database) => [database.name, database.state]),
        )
      : 'There are no databases.',
  ].join('\n\n');
}

/** Who leads, and whether the store answers; nothing where there is one server. */
function describeServers({ store, storeProblem, term, leader, all }: ServersStatus): string[] {
  if (store === 'embedded') return [];
  const leading =
    leader === null
      ? 'No server leads: databases go on, but nothing is changed or repaired. What follows stands in the store, and nobody has looked at it.'
      : `${leader} leads${term === null ? '' : ` in term ${term}`}.`;
  const others = `Servers that run: ${all.map(({ url }) => url).join(', ')}.`;
  return [
    [leading, others, `The store (${store}) ${storeProblem === null ? 'answers.' : `fails: ${storeProblem}`}`].join(
      '\n',
    ),
  ];
}
