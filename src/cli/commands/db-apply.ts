import type { DatabaseStatus } from '../../domain/status.ts';
import type { PlanDocument } from '../../protocol/api.ts';
import { type AddCommand, action, example } from '../action.ts';
import { describePlan } from '../describe-plan.ts';
import { integer } from '../options.ts';
import type { NamedSpec } from '../spec-file.ts';
import { specsFrom } from '../spec-source.ts';
import { untilReady } from '../wait.ts';

interface Options {
  file: string;
  yes?: boolean;
  wait: boolean;
  timeout: number;
}

type Result = 'created' | 'changed' | 'unchanged';
type Wish = NamedSpec & { plan: PlanDocument };

/** `db apply`: makes databases what a file says, after showing what that takes and a yes. */
export const addDbApply: AddCommand = (db, host) => {
  db.command('apply')
    .description('create or change databases until they are what a file says')
    .requiredOption('-f, --file <file>', 'YAML, a document for each database; - reads from stdin')
    .option('--yes', 'do not ask')
    .option('--no-wait', 'return as soon as the wishes are stored')
    .option('--timeout <seconds>', 'how long to wait', integer('--timeout', { min: 1, max: 86_400 }), 120)
    .addHelpText('after', example('valkeeper db apply -f orders.yaml', 'valkeeper db apply --yes -f - < orders.yaml'))
    .action(
      action<Options>(host, async (cli, { file, yes = false, wait, timeout }) => {
        const wishes: Wish[] = [];
        for (const one of await specsFrom(cli, file)) {
          wishes.push({ ...one, plan: await cli.client.plan({ ...one, whole: true }) });
        }
        const changing = wishes.filter(({ plan }) => resultOf(plan) !== 'unchanged');
        if (changing.length > 0) {
          cli.note(changing.map(({ plan }) => describePlan(plan)).join('\n\n'));
          await cli.confirm('Do this?', yes);
        }
        for (const { name, spec, plan } of changing) await cli.client.put(name, spec, plan.generation);
        const databases: { name: string; result: Result; database: DatabaseStatus }[] = [];
        for (const { name, plan } of wishes) {
          const result = resultOf(plan);
          const waits = wait && result !== 'unchanged';
          const database = waits ? await untilReady(cli, name, timeout) : await cli.client.database(name);
          databases.push({ name, result, database });
        }
        cli.print({ databases }, () => databases.map(say).join('\n'));
      }),
    );
};

const resultOf = ({ generation, changes }: PlanDocument): Result =>
  generation === 0 ? 'created' : changes.length > 0 ? 'changed' : 'unchanged';

const say = ({ name, result, database }: { name: string; result: Result; database: DatabaseStatus }): string =>
  `${name} ${result === 'unchanged' ? 'is as it was asked for before' : `was ${result}`}; it is ${database.state}.`;
