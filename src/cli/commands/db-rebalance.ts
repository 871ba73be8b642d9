import { formatShare } from '../../domain/size.ts';
import type { RebalanceDocument } from '../../protocol/api.ts';
import { type AddCommand, action, example } from '../action.ts';
import { describeEstimate } from '../describe-reshard.ts';
import { choice, integer } from '../options.ts';
import { untilMoved, type WaitOptions, withWait } from '../reshard-wait.ts';
import { table } from '../table.ts';

interface Options extends WaitOptions {
  by: 'cpu' | 'memory';
  seconds: number;
  dryRun: boolean;
}

/** `db rebalance`: slots change their shards, so that each carries its share. */
export const addDbRebalance: AddCommand = (db, host) => {
  withWait(
    db
      .command('rebalance')
      .argument('<name>', 'the database')
      .description('give every shard its share of the load, or of the memory, by moving as few slots as it takes')
      .option('--by <what>', 'what is to be shared evenly: cpu or memory', choice('--by', ['cpu', 'memory']), 'cpu')
      .option(
        '--seconds <seconds>',
        'how long processor time is measured',
        integer('--seconds', { min: 1, max: 10 }),
        5,
      )
      .option('--dry-run', 'show what would move, and move nothing', false)
      .addHelpText(
        'after',
        example('valkeeper db rebalance main --dry-run', 'valkeeper db rebalance main --by memory'),
      ),
  ).action(
    action<Options>(host, async (cli, { by, seconds, dryRun, wait, timeout }, name) => {
      const found = await cli.client.rebalance(name!, { by, seconds, dryRun });
      if (found.begun && wait) await untilMoved(cli, name!, timeout);
      cli.print(found, () => describeRebalance(found));
    }),
  );
};

function describeRebalance({ by, shards, imbalance, tooHot, estimate, begun, tolerance }: RebalanceDocument): string {
  const rows = shards.map(({ shard, before, after }) => [shard, formatShare(before), formatShare(after)]);
  const what = by === 'cpu' ? 'PROCESSOR TIME' : 'MEMORY';
  const [now, then] = [imbalance.before, imbalance.after].map((one) => one.toFixed(2));
  return [
    table(['SHARD', what, 'WITH THE NEW SLOTS'], rows),
    `The largest share is ${now} times the mean${estimate ? `, and ${then} times with the new slots` : ''}.`,
    ...tooHot.map(
      ({ slot, shard, share }) =>
        `Slot ${slot} of ${shard} alone is ${formatShare(share)} of all: no spread helps, see \`valkeeper db hotspots\`.`,
    ),
    estimate
      ? describeEstimate(estimate)
      : `Nothing moves: every shard is as near to the mean as it gets (within ${formatShare(tolerance)}).`,
    ...(estimate && !begun ? ['Nothing was changed.'] : []),
  ].join('\n');
}
