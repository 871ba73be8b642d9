import { formatShare, formatSize } from '../../domain/size.ts';
import type { HotspotsDocument } from '../../protocol/api.ts';
import { type AddCommand, action, example } from '../action.ts';
import { integer } from '../options.ts';
import { table } from '../table.ts';

interface Options {
  seconds: number;
  slots: number;
}

/** `db hotspots`: where the load is. */
export const addDbHotspots: AddCommand = (db, host) => {
  db.command('hotspots')
    .argument('<name>', 'the database')
    .option('--seconds <seconds>', 'how long it is measured', integer('--seconds', { min: 1, max: 10 }), 5)
    .option('--slots <count>', 'how many slots to show', integer('--slots', { min: 1, max: 100 }), 10)
    .description('show which shards, slots and keys carry the load, as measured now')
    .addHelpText('after', example('valkeeper db hotspots main'))
    .action(
      action<Options>(host, async (cli, options, name) => {
        const found = await cli.client.hotspots(name!, { ...options });
        cli.print(found, () => describeHotspots(found));
      }),
    );
};

function describeHotspots({ shards, slots }: HotspotsDocument): string {
  const figures = (one: { share: number; cpuPercent: number; bytesPerSecond: number; keys: number }): string[] => [
    ...[formatShare(one.share), `${one.cpuPercent.toFixed(1)} %`, `${formatSize(one.bytesPerSecond)}/s`, `${one.keys}`],
  ];
  const ofShards = shards.map((one) => [one.shard, ...figures(one)]);
  if (slots.length === 0) return [table(['SHARD', ...FIGURES], ofShards), '', 'No command came meanwhile.'].join('\n');
  const ofSlots = slots.map((one) => [
    ...[`${one.slot}`, one.shard, ...figures(one)],
    one.hottestKeys.map(({ key, share }) => `${JSON.stringify(key)} ${formatShare(share)}`).join(', '),
  ]);
  return [
    table(['SHARD', ...FIGURES], ofShards),
    '',
    table(['SLOT', 'SHARD', ...FIGURES, 'KEYS ASKED FOR MOST'], ofSlots),
    ...slots
      .filter(({ tooHot }) => tooHot)
      .map(
        ({ slot }) => `Slot ${slot} alone is more than a shard's share: spread its keys, or read them from replicas.`,
      ),
  ].join('\n');
}

const FIGURES = ['OF THE LOAD', 'OF A PROCESSOR', 'TRAFFIC', 'KEYS'];
