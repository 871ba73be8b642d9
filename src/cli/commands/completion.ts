import { type AddCommand, action, example } from '../action.ts';
import { choice } from '../options.ts';

/** `completion`: a script that completes our words in a shell. */
export const addCompletion: AddCommand = (program, host) => {
  program
    .command('completion')
    .argument('<shell>', 'bash', choice('<shell>', ['bash']))
    .description('print a script that completes commands, options and database names in bash')
    .addHelpText('after', example('source <(valkeeper completion bash)'))
    .action(
      action(host, async (cli, _options, shell) => {
        const { bashCompletion } = await import('../bash-completion.ts');
        const script = bashCompletion(program);
        cli.print({ shell, script }, () => script);
      }),
    );
};
