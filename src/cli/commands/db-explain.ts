import { type AddCommand, action, example } from '../action.ts';
import { describePlacement } from '../describe-placement.ts';

/** `db explain`: why each node is where it is, and what to add where a rule of placement cannot hold. */
export const addDbExplain: AddCommand = (db, host) => {
  db.command('explain')
    .argument('<name>', 'the database')
    .description('explain why each node is where it is, and what would help where a rule does not hold')
    .addHelpText('after', example('valkeeper db explain main', 'valkeeper db explain main --json'))
    .action(
      action(host, async (cli, _options, name) => {
        const explanation = await cli.client.explain(name!);
        cli.print(explanation, () => describePlacement(explanation));
      }),
    );
};
