/** `--config FILE`, for any command: its options from a file. */
import type { Command } from 'commander';
import { CONFIG_OPTION } from './config-keys.ts';

let reader: typeof import('./config-file.ts') | null = null;

/** Loads what reads configuration files, with its YAML parser, if the words ask for one. Other commands do without. */
export async function prepareConfig(args: readonly string[]): Promise<void> {
  if (args.some((word) => /^--config(=|$)/.test(word))) reader = await import('./config-file.ts');
}

/**
 * Adds `--config` to a command. The file is read as soon as the words are, before the environment is looked at and
 * options that must be given are missed: the words beat the environment, which beats the file.
 */
export function takesConfig(command: Command): void {
  command.option(`--${CONFIG_OPTION} <file>`, 'options from a YAML file; see `valkeeper config example`');
  const parseWords = command.parseOptions.bind(command);
  command.parseOptions = (words) => {
    const parsed = parseWords(words);
    const file = command.getOptionValue(CONFIG_OPTION) as string | undefined;
    if (file !== undefined && !words.includes('--help')) reader!.applyConfigFile(command, file);
    return parsed;
  };
}
