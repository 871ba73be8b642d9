import { resolve } from 'node:path';
import { ValkeeperError } from '../../domain/errors.ts';
import { formatSize } from '../../domain/size.ts';
import { formatSlots, formatSlotsBriefly } from '../../domain/slots.ts';
import type { DatabaseStatus } from '../../domain/status.ts';
import { counted } from '../../domain/template.ts';
import { type AddCommand, action, example } from '../action.ts';
import type { Cli } from '../cli.ts';
import type { ExportedFile } from '../export-files.ts';
import { table } from '../table.ts';

interface Options {
  to: string;
  force?: boolean;
}

/** What `--json` prints. */
interface ExportDocument {
  database: string;
  folder: string;
  files: ExportedFile[];
  /** Between the moments of the first and the last. */
  skewMs: number;
}

/** `db export`: the data as RDB files of this machine, one a shard. */
export const addDbExport: AddCommand = (db, host) => {
  db.command('export')
    .argument('<name>', 'the database')
    .description('write the data as RDB files, one a shard, which a plain valkey-server loads')
    .requiredOption('--to <dir>', 'a folder of this machine; it is made')
    .option('--force', 'replace files that are there')
    .addHelpText('after', example('valkeeper db export main --to /srv/export'))
    .action(
      action<Options>(host, async (cli, { to, force }, name) => {
        const document = await exportTo(cli, name!, resolve(to), force ?? false);
        cli.print(document, () => describe(document));
      }),
    );
};

async function exportTo(cli: Cli, database: string, folder: string, force: boolean): Promise<ExportDocument> {
  const { exportFiles } = await import('../export-files.ts');
  const stop = new AbortController();
  const onSignal = (): void => stop.abort(new ValkeeperError('interrupted', { outcome: 'No file was written.' }));
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  const progress = cli.progress();
  try {
    const { shards } = await cli.client.database(database);
    const files = await exportFiles({
      ...{ database, shards, folder, force, signal: stop.signal },
      open: (shard, signal) => cli.client.rdb(database, shard, signal),
      check: async () => requireSameSlots(shards, await cli.client.database(database)),
      came: (whole, bytes) =>
        progress.phase(`${whole} of ${counted(shards.length, 'shard')} written, ${formatSize(bytes)}`),
    });
    const moments = files.map(({ forkedAt }) => Date.parse(forkedAt));
    return { database, folder, files, skewMs: Math.max(...moments) - Math.min(...moments) };
  } finally {
    progress.end();
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

/** A key that moved meanwhile may be in two files, or in none. @throws export_refused */
function requireSameSlots(before: DatabaseStatus['shards'], { name, reshard, shards }: DatabaseStatus): void {
  const slotsOf = new Map(shards.map(({ id, slots }) => [id, formatSlots(slots)]));
  const moved = before.find(({ id, slots }) => slotsOf.get(id) !== formatSlots(slots));
  if (!moved && reshard === null) return;
  const shard = moved?.id ?? before[0]!.id;
  throw new ValkeeperError('export_refused', { name, shard, reason: 'slots moved to other shards meanwhile' });
}

function describe({ database, folder, files, skewMs }: ExportDocument): string {
  const rows = files.map(({ shard, path, bytes, slots, node, machine, role, forkedAt }) => [
    ...[shard, path, formatSize(bytes), formatSlotsBriefly(slots)],
    ...[`${role} ${node.slice(0, 8)} on ${machine}`, forkedAt],
  ]);
  return [
    `${database} was exported to ${folder}: ${counted(files.length, 'file')}, their moments ${skewMs} ms apart.`,
    '',
    table(['SHARD', 'FILE', 'SIZE', 'SLOTS', 'FROM', 'OF'], rows),
  ].join('\n');
}
