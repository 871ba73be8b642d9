import { shortId } from '../../domain/ids.ts';
import type { DatabaseStatus } from '../../domain/status.ts';
import type { SwitchoverDocument } from '../../protocol/api.ts';
import { type AddCommand, action, example } from '../action.ts';
import type { Cli } from '../cli.ts';
import { integer } from '../options.ts';
import { waitUntil } from '../wait.ts';

interface Options {
  to?: string;
  wait: boolean;
  timeout: number;
}

/** `shard switchover`: a replica and its living primary change places, losing nothing. */
export const addShardSwitchover: AddCommand = (shards, host) => {
  shards
    .command('switchover')
    .argument('<name>', 'the database')
    .argument('<shard>', 'one of its shards, such as shard-1')
    .description('let a replica and its living primary change places; clients wait a moment and lose nothing')
    .option('--to <copy>', 'a machine or the beginning of a node id (default: where the fewest primaries are)')
    .option('--no-wait', 'return as soon as the wish is stored')
    .option('--timeout <seconds>', 'how long to wait', integer('--timeout', { min: 1, max: 86_400 }), 60)
    .addHelpText('after', example('valkeeper shard switchover main shard-1 --to machine-2'))
    .action(
      action<Options>(host, async (cli, { to, wait, timeout }, name, shard) => {
        const wish = await cli.client.switchOver(name!, shard!, to);
        if (wait) await untilSwitched(cli, name!, wish, timeout);
        const tense = wait ? 'is' : 'is to be';
        cli.print(
          wish,
          () => `${shortId(wish.to)} ${tense} the primary of ${wish.shard}, instead of ${shortId(wish.from)}.`,
        );
      }),
    );
};

/** Until the copy is the primary, and the old one a replica in sync. @throws not_in_time */
async function untilSwitched(cli: Cli, name: string, wish: SwitchoverDocument, seconds: number): Promise<void> {
  const progress = cli.progress();
  await waitUntil({
    poll: () => cli.client.database(name),
    missing: (seen) => missingOf(seen, wish),
    timeoutMs: seconds * 1_000,
    progress,
    what: `the switchover of ${wish.shard} of ${name} was not over`,
    command: `valkeeper db show ${name}`,
  }).finally(() => progress.end());
}

function missingOf({ shards }: DatabaseStatus, { shard, from, to }: SwitchoverDocument): string | null {
  const found = shards.find(({ id }) => id === shard);
  if (found?.primary?.nodeId !== to) return `${shortId(to)} is not the primary of ${shard} yet`;
  const isBack = found.replicas.some(({ nodeId, inSync }) => nodeId === from && inSync);
  return isBack ? null : `${shortId(from)} is not in sync as a replica yet`;
}
