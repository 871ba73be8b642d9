import { ValkeeperError } from '../../domain/errors.ts';
import type { PlanDocument } from '../../protocol/api.ts';
import { type AddCommand, action, example } from '../action.ts';
import type { Cli } from '../cli.ts';
import { describePlan } from '../describe-plan.ts';
import { addSpecOptions, changedUsers, type SpecOptions, specOf } from '../spec-options.ts';
import { specsFrom } from '../spec-source.ts';

interface Options extends SpecOptions {
  file?: string;
}

/** `db plan`: what would be done, without doing it. */
export const addDbPlan: AddCommand = (db, host) => {
  const command = db.command('plan').argument('[name]', 'an existing database, or one to be');
  addSpecOptions(command.description('show what would be done: now, to change a database, or to create one'))
    .option('-f, --file <file>', 'what applying this file would do; - reads from stdin')
    .addHelpText(
      'after',
      example('valkeeper db plan main', 'valkeeper db plan main --memory 2gb', 'valkeeper db plan -f orders.yaml'),
    )
    .action(
      action<Options>(host, async (cli, options, name) => {
        const { file } = options;
        const spec = specOf(options);
        if ((name === undefined) === (file === undefined) || (file !== undefined && Object.keys(spec).length > 0)) {
          const remedy = 'Name either a database, with or without options, or a file with -f.';
          throw new ValkeeperError('usage', { problem: 'db plan: what is to be planned is not clear', remedy });
        }
        if (file !== undefined) {
          const plans: PlanDocument[] = [];
          for (const one of await specsFrom(cli, file)) plans.push(await cli.client.plan({ ...one, whole: true }));
          cli.print({ plans }, () => plans.map(describePlan).join('\n\n'));
          return;
        }
        const plan = await cli.client.plan({ name: name!, ...(await asksForIt(cli, name!, spec)) });
        cli.print(plan, () => describePlan(plan));
      }),
    );
};

/** Without options: of a database that exists what is to be done now, of another what creating it would take. */
async function asksForIt(cli: Cli, name: string, spec: ReturnType<typeof specOf>) {
  const { databases } = await cli.client.databases();
  const present = databases.find((database) => database.name === name);
  if (present && spec.users) return { spec: { ...spec, users: changedUsers(present.spec.users, spec.users) } };
  if (Object.keys(spec).length > 0) return { spec };
  return present ? {} : { spec };
}
