import { type AddCommand, action, example } from '../action.ts';

/** `db password`: the password and nothing else, for `$(...)`. */
export const addDbPassword: AddCommand = (db, host) => {
  db.command('password')
    .argument('<name>', 'the database')
    .description('print the password of a database')
    .addHelpText('after', example('REDISCLI_AUTH="$(valkeeper db password main)" redis-cli -c -h 127.0.0.11 -p 7000'))
    .action(
      action(host, async (cli, _options, name) => {
        const document = await cli.client.password(name!);
        if (document.password === null) cli.note(`${name} has no password.`);
        cli.print(document, () => document.password ?? '');
      }),
    );
};
