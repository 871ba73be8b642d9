import { ValkeeperError } from '../../domain/errors.ts';
import {
  CONTROL_PLANE,
  costInWords,
  describeFailover,
  type FailoverRecord,
  timelineInWords,
} from '../../domain/failover.ts';
import { shortId } from '../../domain/ids.ts';
import { type AddCommand, action, example } from '../action.ts';
import { table } from '../table.ts';

/** `db failovers`: which primaries were replaced, and the story of one. */
export const addDbFailovers: AddCommand = (db, host) => {
  db.command('failovers')
    .argument('<name>', 'the database')
    .argument('[id]', 'of one failover: its story')
    .option('--last', 'the story of the latest one', false)
    .description('show which primaries were replaced, why, how long it took and what it cost')
    .addHelpText('after', example('valkeeper db failovers main', 'valkeeper db failovers main --last'))
    .action(
      action<{ last: boolean }>(host, async (cli, { last }, name, id) => {
        const found = await cli.client.failovers(name!);
        if (id === undefined && !last) return cli.print(found, () => listed(found.failovers));
        const one = found.failovers.find((failover) => id === undefined || failover.id.startsWith(id));
        if (!one) throw new ValkeeperError('failover_not_found', { name: name!, id: id ?? 'any' });
        cli.print(one, () => story(one));
      }),
    );
};

function listed(failovers: readonly FailoverRecord[]): string {
  if (failovers.length === 0) return 'No primary has been replaced.';
  const rows = failovers.map(({ id, startedAt, shard, node, machine, cause, chosen, mode, result, tookMs }) => [
    ...[id, new Date(startedAt).toISOString(), shard, `${shortId(node)} on ${machine}`, cause],
    ...(result.state === 'promoted'
      ? [chosen === null ? '' : shortId(chosen), mode ?? '', `${tookMs} ms`]
      : ['nobody', '', 'given up']),
  ]);
  return table(['ID', 'AT', 'SHARD', 'LOST', 'CAUSE', 'SUCCESSOR', 'BY', 'TOOK'], rows);
}

function story(failover: FailoverRecord): string {
  const { id, startedAt, by } = failover;
  return [
    describeFailover(failover),
    '',
    `${id}, ${new Date(startedAt).toISOString()}, by ${by === CONTROL_PLANE ? by : `the agent of ${by}`}`,
    ...timelineInWords(failover).map((line) => `  ${line}`),
    `  ${costInWords(failover)}`,
  ].join('\n');
}
