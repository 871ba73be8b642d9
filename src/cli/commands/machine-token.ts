/** `machine token`: what a machine needs to join. */
import type { TokenStatus } from '../../protocol/api.ts';
import { type AddCommand, action, example } from '../action.ts';
import { duration, labelled } from '../options.ts';
import { table } from '../table.ts';

const TTL = { min: 1, max: 604_800 };

interface CreateOptions {
  ttl: number;
  name?: string;
  label?: Record<string, string>;
}

/** `machine token`: create, list, revoke. */
export const addMachineToken: AddCommand = (machine, host) => {
  const token = machine
    .command('token')
    .description('tokens with which machines join: create, list, revoke')
    .helpCommand(false)
    .addHelpText('after', example('valkeeper machine token create'));
  token
    .command('create')
    .description('make a token and print the line to run on the machine that is to join; it is shown this once')
    .option(
      '--ttl <time>',
      'how long it may be used, such as 30m (default 1h, at most 7d)',
      duration('--ttl', TTL),
      3_600,
    )
    .option('--name <name>', 'only for a machine of this name')
    .option('--label <label=value>', 'that the machine gets; may be given several times', labelled('--label'))
    .addHelpText(
      'after',
      example('valkeeper machine token create', 'valkeeper machine token create --ttl 15m --name db-7'),
    )
    .action(
      action<CreateOptions>(host, async (cli, { ttl, name, label = {} }) => {
        const wish = { ttlSeconds: ttl, labels: label, ...(name === undefined ? {} : { machine: name }) };
        const created = await cli.client.createToken(wish);
        cli.note(`For one machine, until ${created.expiresAt}. Run there:`);
        cli.print(created, () => created.command);
      }),
    );
  token
    .command('list')
    .description('list the tokens; what makes them work is not kept')
    .addHelpText('after', example('valkeeper machine token list'))
    .action(
      action(host, async (cli) => {
        const list = await cli.client.tokens();
        cli.print(list, () => describeTokens(list.tokens));
      }),
    );
  token
    .command('revoke')
    .argument('<id>', 'the token, as listed')
    .description('take a token back; a machine that has joined with it stays')
    .addHelpText('after', example('valkeeper machine token revoke 0123456789abcdef'))
    .action(
      action(host, async (cli, _options, id) => {
        const revoked = await cli.client.revokeToken(id!);
        const stays = revoked.state === 'used' ? ` ${revoked.machine} has joined with it and stays.` : '';
        cli.print(revoked, () => `The token ${id} admits nobody any more.${stays}`);
      }),
    );
};

const describeTokens = (tokens: readonly TokenStatus[]): string =>
  tokens.length === 0
    ? 'There are no tokens.'
    : table(
        ['TOKEN', 'STATE', 'MACHINE', 'EXPIRES', 'LABELS'],
        tokens.map(({ id, state, machine, expiresAt, labels }) => [
          id,
          state,
          machine ?? 'any',
          expiresAt,
          Object.entries(labels)
            .map(([label, value]) => `${label}=${value}`)
            .join(', ') || 'none',
        ]),
      );
