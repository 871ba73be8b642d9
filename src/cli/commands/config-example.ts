import { type AddCommand, action, example } from '../action.ts';
import { CONFIGURABLE } from '../config-keys.ts';
import { choice } from '../options.ts';

/** `config example`: a commented file with every option of the server or of the agent. */
export const addConfigExample: AddCommand = (config, host) => {
  config
    .command('example')
    .description('print a commented configuration file with every option')
    .argument('<process>', CONFIGURABLE.join(' or '), choice('process', CONFIGURABLE))
    .addHelpText('after', example('valkeeper config example agent > agent.yaml'))
    .action(
      action(host, async (cli, _options, name) => {
        const { configExample } = await import('../config-example.ts'); // with a YAML parser
        const text = configExample(config.parent!.commands.find((command) => command.name() === name)!);
        cli.print({ process: name, text: `${text}\n` }, () => text);
      }),
    );
};
