import { type AddCommand, action, example } from '../action.ts';

/** `ca`: the fleet's authority, and nothing else, for a file. */
export const addCa: AddCommand = (program, host) => {
  program
    .command('ca')
    .description("print the certificate of the fleet's authority (PEM): what clients with TLS must believe")
    .addHelpText(
      'after',
      example('valkeeper ca > ca.pem', 'redis-cli --cacert ca.pem -u "$(valkeeper db url main --tls)"'),
    )
    .action(
      action(host, async (cli) => {
        const document = await cli.client.authorities();
        cli.print(document, () => document.pem.trimEnd());
      }),
    );
};
