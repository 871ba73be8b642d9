import { type AddCommand, action, example } from '../action.ts';

/** `db password`: the password and nothing else, for `$(...)`. */
export const addDbPassword: AddCommand = (db, host) => {
  db.command('password')
    .argument('<name>', 'the database')
    .option('--user <name>', 'of this user (default default)')
    .description('print the password of a database')
    .addHelpText('after', example('REDISCLI_AUTH="$(valkeeper db password main)" redis-cli -h 127.0.0.11'))
    .action(
      action<{ user?: string }>(host, async (cli, { user }, name) => {
        const document = await cli.client.password(name!, user);
        if (document.password === null) cli.note(`${name} has no password.`);
        cli.print(document, () => document.password ?? '');
      }),
    );
};
