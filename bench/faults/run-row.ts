/** A row, done so many times to one system; each repetition is kept in the output folder as soon as it is over. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../../test/sim/random.ts';
import { progress } from '../support/report.ts';
import { ms } from '../support/stats.ts';
import type { Fault } from './acts.ts';
import { loadBallast, missingBallast } from './ballast.ts';
import { Load } from './load.ts';
import type { Output } from './output.ts';
import { type Plan, type Repetition, repeatOnce } from './repetition.ts';
import type { Row } from './rows.ts';
import type { Shard, System } from './system.ts';
import { Valkeeper } from './valkeeper.ts';

const SETTLE_MS = 500;
const FAILURE_CHARACTERS = 300;

export interface RunOptions {
  times: number;
  perSecond: number;
  seed: number;
  /** Of each repetition, acknowledged writes that are removed before reading back. */
  spoil: number;
  output: Output;
}

export interface RowResult {
  row: Row;
  system: string;
  repetitions: Repetition[];
  /** Why it ended early. */
  failure: string | null;
}

/** Does it. What goes wrong with a repetition ends the row, and is told in the result: the table is to show it. */
export async function runRow(row: Row, system: System, options: RunOptions): Promise<RowResult> {
  const { times, output, seed, perSecond, spoil } = options;
  const repetitions: Repetition[] = [];
  let load: Load | null = null;
  try {
    if (system instanceof Valkeeper) {
      await system.database(row.database.shards, row.database.replicas, ...row.database.options);
      if (row.ballast) await loadBallast(system, row.ballast.keys, row.ballast.saved);
    }
    load = new Load(system.clientHost, system.target());
    const fault = faultOf(row, system, new Random(seed));
    const plan: Plan = { system, load, fault, perSecond, spoil, prefix: row.id, ...row.more };
    for (let number = 0; number < times; number += 1) {
      const shard = shardFor(row, system, await system.shards(), number);
      const { repetition, raw } = await repeatOnce(plan, number, shard);
      repetitions.push(repetition);
      output.keep(row.id, system.name, repetition, raw);
      progress(`${row.id}, ${system.name}, ${number + 1} of ${times}: ${describe(repetition)}`);
    }
    return { row, system: system.name, repetitions, failure: null };
  } catch (error) {
    const { message, cause } = error as Error;
    const whole = cause instanceof Error ? `${message} (${cause.message})` : message;
    const failure = whole.replaceAll(/\s+/g, ' ').slice(0, FAILURE_CHARACTERS); // it stands in a cell of the table
    progress(`${row.id}, ${system.name}: ${failure}`);
    return { row, system: system.name, repetitions, failure };
  } finally {
    load?.close();
  }
}

/** Every shard in its turn, without those whose primary is on a machine that clients depend on, if that is what is hit. */
function shardFor(row: Row, system: System, shards: readonly Shard[], number: number): number {
  const fit = shards.flatMap(({ primary }, place) =>
    row.hitsMachine && system.spared.includes(primary.machine) ? [] : [place],
  );
  if (fit.length === 0) throw new Error('no primary is where it may be hit');
  return fit[number % fit.length]!;
}

function faultOf(row: Row, system: System, random: Random): Fault {
  let fault = row.act(random);
  if (row.ballast && system instanceof Valkeeper) fault = withBallast(fault, row.ballast.keys);
  return row.withoutServers && system instanceof Valkeeper ? withoutServers(fault, system) : fault;
}

/** The same, and afterwards every key that was there before is looked for. */
const withBallast =
  (fault: Fault, keys: number): Fault =>
  async (system, shards, shard) => {
    const struck = await fault(system, shards, shard);
    return {
      ...struck,
      afterwards: async () => {
        await struck.afterwards?.();
        const missing = await missingBallast(system, keys);
        struck.seen['missing'] = missing;
        if (missing > 0) struck.seen.broken.push(`${missing} of ${keys} keys from before are missing`);
      },
    };
  };

/** The same while no server runs; it is started again to repair what is left to be repaired. */
const withoutServers =
  (fault: Fault, valkeeper: Valkeeper): Fault =>
  async (system, shards, shard) => {
    await valkeeper.killServer();
    await sleep(SETTLE_MS);
    const struck = await fault(system, shards, shard);
    return {
      ...struck,
      mend: async () => {
        await struck.mend();
        await valkeeper.startServer();
      },
    };
  };

function describe({ finding, wholeMs, tookMs, seen }: Repetition): string {
  const { waitMs, writes, errors, strayErrors, lost } = finding;
  const list = (counts: Record<string, number>): string =>
    Object.entries(counts)
      .map(([kind, count]) => `${count} ${kind}`)
      .join(', ') || 'none';
  const wait = waitMs === null ? 'never accepted again' : `wait ${ms(waitMs)}`;
  const { broken, ...facts } = seen;
  const more = `${JSON.stringify(facts)}${broken.length > 0 ? ` BROKEN: ${broken.join('; ')}` : ''}`;
  return `${wait}, ${writes} writes, errors ${list(errors)}, not in flight ${list(strayErrors)}, lost ${lost}, whole ${ms(wholeMs)}, took ${ms(tookMs)} ${more}`;
}
