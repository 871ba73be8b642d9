/** What a configuration file of a command may say: its long options, whatever they are. */
import type { Command, Option } from 'commander';

/** The commands that can be configured by a file. */
export const CONFIGURABLE = ['server', 'agent'] as const;
/** The option that names the file; it is no key. */
export const CONFIG_OPTION = 'config';

export interface ConfigKey {
  /** The option's long name without its dashes; `auth` for `--no-auth`. */
  key: string;
  option: Option;
  /** Who keeps the option's value. */
  holder: Command;
}

/** Every key: the command's options, and those for all commands that take a value, such as `--data-dir`. */
export function configKeys(command: Command): ConfigKey[] {
  const own = command.options.map((option) => ({ option, holder: command }));
  const inherited = (command.parent?.options ?? [])
    .filter(takesValue)
    .map((option) => ({ option, holder: command.parent as Command }));
  return [...own, ...inherited]
    .map(({ option, holder }) => ({ key: option.name().replace(/^no-/, ''), option, holder }))
    .filter(({ key, option }) => key !== CONFIG_OPTION && option.long !== undefined && key !== 'version');
}

/** Whether something is to stand behind it; otherwise it is a switch. */
export const takesValue = ({ required, optional }: Pick<Option, 'required' | 'optional'>): boolean =>
  required || optional;
