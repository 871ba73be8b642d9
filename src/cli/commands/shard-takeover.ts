import { describeFailover, type FailoverRecord } from '../../domain/failover.ts';
import { shortId } from '../../domain/ids.ts';
import type { TakeoverDocument } from '../../protocol/api.ts';
import { type AddCommand, action, example } from '../action.ts';
import type { Cli } from '../cli.ts';
import { integer, repeated } from '../options.ts';
import { waitUntil } from '../wait.ts';

interface Options {
  to?: string;
  machineIsOff?: true;
  alsoOff?: string[];
  loseAcknowledged?: true;
  wait: boolean;
  timeout: number;
}

/** `shard takeover`: another takes the place of a primary that nobody hears of, because a person says that its machine is off. */
export const addShardTakeover: AddCommand = (shards, host) => {
  shards
    .command('takeover')
    .argument('<name>', 'the database')
    .argument('<shard>', 'one of its shards, such as shard-1')
    .description('let a replica take the place of a primary that nobody hears of, where nobody does by itself')
    .option('--to <copy>', 'a machine or the beginning of a node id (default: who has most of its history)')
    .option('--machine-is-off', 'you say: the machine of the primary is off or cut off, and writes no more')
    .option('--also-off <machine>', 'you say the same of this one; may be given several times', repeated)
    .option('--lose-acknowledged', 'even if acknowledged writes are lost by it')
    .option('--no-wait', 'return as soon as the wish is stored')
    .option('--timeout <seconds>', 'how long to wait', integer('--timeout', { min: 1, max: 86_400 }), 60)
    .addHelpText(
      'after',
      example('valkeeper shard takeover main shard-1', 'valkeeper shard takeover main shard-1 --machine-is-off'),
    )
    .action(
      action<Options>(host, async (cli, { wait, timeout, ...said }, name, shard) => {
        const wish = await cli.client.takeOver(name!, shard!, {
          ...(said.to === undefined ? {} : { to: said.to }),
          machineIsOff: said.machineIsOff === true,
          alsoOff: said.alsoOff ?? [],
          loseAcknowledged: said.loseAcknowledged === true,
        });
        if (!wait) {
          return cli.print(wish, () => `${shortId(wish.to)} is to take the place of ${shortId(wish.from)}.`);
        }
        const failover = await untilTaken(cli, name!, wish, timeout);
        cli.print(wish, () => describeFailover(failover));
      }),
    );
};

/** Until another is the primary, and the record of how that went is there. @throws not_in_time */
async function untilTaken(cli: Cli, name: string, wish: TakeoverDocument, seconds: number): Promise<FailoverRecord> {
  const progress = cli.progress();
  const { client } = cli;
  const [, failover] = await waitUntil({
    poll: async () => [await client.database(name), madeOf(await client.failovers(name), wish)] as const,
    missing: ([{ shards }, made]) => {
      const primary = shards.find(({ id }) => id === wish.shard)?.primary?.nodeId;
      return made && primary === made.chosen ? null : `${shortId(wish.to)} is not the primary of ${wish.shard} yet`;
    },
    timeoutMs: seconds * 1_000,
    progress,
    what: `the takeover of ${wish.shard} of ${name} was not over`,
    command: `valkeeper db show ${name}`,
  }).finally(() => progress.end());
  return failover!;
}

const madeOf = ({ failovers }: { failovers: readonly FailoverRecord[] }, wish: TakeoverDocument) =>
  failovers.find(({ node, cause }) => node === wish.from && cause === 'asked');
