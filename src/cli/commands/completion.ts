import { type AddCommand, action, example } from '../action.ts';
import { SHELLS, type Shell } from '../completions.ts';
import { choice } from '../options.ts';

/** `completion`: a script that completes our words in a shell. */
export const addCompletion: AddCommand = (program, host) => {
  program
    .command('completion')
    .argument('<shell>', SHELLS.join(', '), choice('<shell>', SHELLS))
    .description('print a script that completes commands, options and database names in a shell')
    .addHelpText(
      'after',
      example(
        'source <(valkeeper completion bash)',
        'source <(valkeeper completion zsh)',
        'valkeeper completion fish | source',
      ),
    )
    .action(
      action(host, async (cli, _options, shell) => {
        const [{ COMPLETIONS }, { completionTree }] = await Promise.all([
          import('../completions.ts'),
          import('../completion-tree.ts'),
        ]);
        const script = COMPLETIONS[shell as Shell](completionTree(program));
        cli.print({ shell, script }, () => script);
      }),
    );
};
