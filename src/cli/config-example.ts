/** The commented example of a configuration file, made from the options of its command. */
import type { Command, Option } from 'commander';
import { stringify } from 'yaml';
import { configKeys, takesValue } from './config-keys.ts';

/** A file that changes nothing: every key with what it is for, commented out, with its default if it has one. */
export function configExample(command: Command): string {
  const name = command.name();
  const entries = configKeys(command)
    .filter(({ option }) => !option.hidden)
    .map(({ key, option }) => `# ${commentOf(option)}\n#${key}: ${onOneLine(shownValue(option))}`);
  return [
    `# Options of \`valkeeper ${name}\`. To set one, take the # before its key away.\n` +
      '# What is written on the command line beats the environment, which beats this file.\n' +
      `# Use it so: valkeeper ${name} --config FILE`,
    ...entries,
  ].join('\n\n');
}

const onOneLine = (value: unknown): string => stringify(value, { collectionStyle: 'flow', lineWidth: 0 }).trimEnd();

const commentOf = ({ description, mandatory }: Option): string =>
  `${description.replaceAll('\n', '\n# ')}${mandatory ? ' (must be given)' : ''}`;

function shownValue(option: Option): unknown {
  if (option.defaultValue !== undefined) return option.defaultValue;
  if (!takesValue(option)) return option.negate;
  // What commander calls it, such as `<port>` or `<key=value...>`.
  const name = /[<[](.+?)(?:\.\.\.)?[>\]]/.exec(option.flags)?.[1] ?? 'value';
  return option.variadic ? [`<${name}>`] : `<${name}>`;
}
