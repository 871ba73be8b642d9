import { type AddCommand, action, example } from '../action.ts';

/** `engine`: which valkey-server is used, and where it came from. */
export const addEngine: AddCommand = (program, host) => {
  program
    .command('engine')
    .description('show the engine: version, path, licence, origin')
    .addHelpText('after', example('valkeeper engine'))
    .action(
      action(host, async (cli) => {
        const engine = await cli.host.engine(cli.dataDir);
        cli.print(engine, () =>
          [
            `version  ${engine.version}`,
            `server   ${engine.serverPath}`,
            `cli      ${engine.cliPath ?? 'none'}`,
            `licence  ${engine.licence}`,
            `origin   ${engine.origin}`,
          ].join('\n'),
        );
      }),
    );
};
