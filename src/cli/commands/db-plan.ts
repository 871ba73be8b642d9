import type { PlanDocument } from '../../protocol/api.ts';
import { type AddCommand, action, example } from '../action.ts';
import { addSpecOptions, type SpecOptions, specOf } from '../spec-options.ts';

/** `db plan`: what would be done, without doing it. */
export const addDbPlan: AddCommand = (db, host) => {
  const command = db.command('plan').argument('<name>', 'an existing database, or one to be');
  addSpecOptions(command.description('show what would be done: now for a database that exists, or to create one'))
    .addHelpText('after', example('valkeeper db plan orders --shards 5 --memory 2gb', 'valkeeper db plan main'))
    .action(
      action<SpecOptions>(host, async (cli, options, name) => {
        const spec = specOf(options);
        const exists = (await cli.client.databases()).databases.some((database) => database.name === name);
        const asksForMore = Object.keys(spec).length > 0;
        const plan = await cli.client.plan({ name: name!, ...(exists && !asksForMore ? {} : { spec }) });
        cli.print(plan, () => describePlan(plan));
      }),
    );
};

/** Sentences numbered by stage; steps of one stage run side by side. */
function describePlan({ database, steps, blocked }: PlanDocument): string {
  if (steps.length === 0 && blocked.length === 0) return `Nothing is to be done for ${database}.`;
  const done = steps.map(({ stage, sentence }, index) => {
    const number = steps[index - 1]?.stage === stage ? '' : `${stage}.`;
    return `${number.padStart(4)} ${sentence}`;
  });
  const waiting = blocked.map(({ because, reason }) => `     not now (${because}): ${reason}`);
  return [...done, ...waiting].join('\n');
}
