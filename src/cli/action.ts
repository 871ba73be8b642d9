/** The bridge from commander to our actions: global options become a `Cli`, the rest arrives typed. */
import type { Command } from 'commander';
import type { Cli, Host } from './cli.ts';

/** What a command does with its arguments (as declared, in order) and its own options. */
export type Action<Options> = (cli: Cli, options: Options, ...args: string[]) => Promise<void>;

/** Adds commands to their parent; one of these a file. */
export type AddCommand = (parent: Command, host: Host) => void;

/** For `command.action(...)`; list arguments (`[args...]`) are spread. */
export function action<Options = Record<string, never>>(host: Host, run: Action<Options>) {
  return async (...given: unknown[]): Promise<void> => {
    const command = given.pop() as Command;
    const options = given.pop() as Options;
    const { Cli } = await import('./cli.ts'); // help does without it
    await run(new Cli(host, command.optsWithGlobals()), options, ...(given.flat() as string[]));
  };
}

/** Help text that ends every command's help. */
export const example = (...lines: string[]): string => `\nExample:\n${lines.map((line) => `  ${line}`).join('\n')}`;
