import { ValkeeperError } from '../../domain/errors.ts';
import { type AddCommand, action, example } from '../action.ts';

/** `db url`: all that a client needs, in one line, for `$(...)`. */
export const addDbUrl: AddCommand = (db, host) => {
  db.command('url')
    .argument('<name>', 'the database')
    .option('--user <name>', 'of this user (default default)')
    .option('--tls', 'rediss://, also where the database takes clients without TLS')
    .description('print the redis:// or rediss:// URL of a database, with the password')
    .addHelpText('after', example('redis-cli -u "$(valkeeper db url main)"', 'valkeeper db url main --user app'))
    .action(
      action<{ user?: string; tls?: boolean }>(host, async (cli, { user, tls = false }, name) => {
        const [{ endpoint, endpoints, spec }, entrance, { machines }] = await Promise.all([
          cli.client.database(name!),
          cli.client.password(name!, user),
          cli.client.machines(),
        ]);
        if (tls && machines.every((machine) => !machine.tls)) throw new ValkeeperError('client_tls_unavailable');
        const address = endpoint ?? endpoints[0];
        if (!address) throw new ValkeeperError('no_node_answers', { name: name! });
        if (!endpoint) cli.note(`No endpoint of ${name} serves now: see \`valkeeper db show ${name}\`.`);
        const { user: as, password } = entrance;
        const who = password === null ? '' : `${as}:${password}@`;
        const scheme = tls || spec.tls === 'required' ? 'rediss' : 'redis';
        const url = `${scheme}://${who}${address.host}:${address.port}/0`;
        cli.print({ url }, () => url);
      }),
    );
};
