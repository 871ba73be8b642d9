import { ValkeeperError } from '../../domain/errors.ts';
import { type AddCommand, action, example } from '../action.ts';

/** `machine label`: names and values of an operator's choosing; `zone` says which machines fail together. */
export const addMachineLabel: AddCommand = (machine, host) => {
  machine
    .command('label')
    .argument('<name>', 'the machine')
    .argument('<labels...>', '`label=value` to set one, `label-` to take it away')
    .description('label a machine; the label `zone` says which machines fail together')
    .addHelpText(
      'after',
      example('valkeeper machine label machine-1 zone=eu-1a', 'valkeeper machine label machine-1 zone-'),
    )
    .action(
      action(host, async (cli, _options, name, ...words) => {
        const labelled = await cli.client.label(name!, labelsOf(words));
        const shown = Object.entries(labelled.labels).map(([label, value]) => `${label}=${value}`);
        cli.print(labelled, () => `${name}: ${shown.join(', ') || 'no labels'}; zone ${labelled.zone}.`);
      }),
    );
};

/** @throws invalid_value for a word that is neither `label=value` nor `label-` */
function labelsOf(words: readonly string[]): Record<string, string | null> {
  return Object.fromEntries(
    words.map((word): [string, string | null] => {
      const equals = word.indexOf('=');
      if (equals > 0) return [word.slice(0, equals), word.slice(equals + 1)];
      if (word.length > 1 && word.endsWith('-')) return [word.slice(0, -1), null];
      throw new ValkeeperError('invalid_value', {
        field: 'LABELS',
        problem: `${JSON.stringify(word)} says neither what to set nor what to take away`,
        remedy: 'Write `label=value`, such as zone=eu-1a, or `label-` to take it away.',
      });
    }),
  );
}
