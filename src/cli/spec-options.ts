/** The options that describe a database, made from the table of a spec's fields. */
import { type Command, Option } from 'commander';
import { formatSize } from '../domain/size.ts';
import { type DatabaseSpec, DEFAULT_SPEC, type UserSpec } from '../domain/spec.ts';
import { type SpecField, specFields } from '../protocol/spec-fields.ts';
import { choice, integer, size, user } from './options.ts';

/** What was said, by the field's key: a value of the field's kind. */
export type SpecOptions = Readonly<Record<string, unknown>>;

const USER_FLAG = '--user';
/** As commander calls what was said with it. */
const USER_OPTION = 'user';

/** Adds an option for every field; what is not said has no value. */
export function addSpecOptions(command: Command): Command {
  for (const [name, field] of specFields()) {
    command.addOption(optionOf(field, ` (default ${showField(field, DEFAULT_SPEC[name])})`));
  }
  return command;
}

/** Adds those that can change while a database runs; what is left out stays as it is. */
export function addChangeOptions(command: Command): Command {
  for (const [, field] of specFields()) if (field.live) command.addOption(optionOf(field, ''));
  return command;
}

function optionOf(field: SpecField, byDefault: string): Option {
  const { key, kind, about } = field;
  const flag = `--${key}`;
  switch (kind) {
    case 'integer':
      return new Option(`${flag} <n>`, `${about}${byDefault}`).argParser(integer(flag, field));
    case 'size':
      return new Option(`${flag} <size>`, `${about}, such as 512mb or 2gb${byDefault}`).argParser(size(flag));
    case 'choice':
      return new Option(`${flag} <choice>`, `${about}: ${field.choices.join(', ')}${byDefault}`).argParser(
        choice(flag, field.choices),
      );
    case 'switch':
      return new Option(`--no-${key}`, about);
    case 'users':
      return new Option(
        `${USER_FLAG} <name=rules>`,
        `${about}, such as app='~app:* +@all'; once for each user`,
      ).argParser(user(USER_FLAG));
  }
}

/** A field's value as people write it. */
export function showField({ kind }: SpecField, value: DatabaseSpec[keyof DatabaseSpec]): string {
  if (kind === 'size') return formatSize(Number(value));
  if (!Array.isArray(value)) return String(value);
  return (value as readonly UserSpec[]).map(({ name, rules }) => `${name}='${rules}'`).join(' ') || 'none';
}

/** As commander calls it: `cluster-view` is `clusterView`. */
const optionName = (key: string): string => key.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());

/** What was said; what was not is left to the server. A switch says something only when it is off. */
export function specOf(options: SpecOptions): Partial<DatabaseSpec> {
  const said = specFields().flatMap(([name, { key, kind }]) => {
    const value = options[kind === 'users' ? USER_OPTION : optionName(key)];
    return value === undefined || (kind === 'switch' && value === true) ? [] : [[name, value]];
  });
  return Object.fromEntries(said) as Partial<DatabaseSpec>;
}

/** Users as they are after a change: those named anew have other rules, a user without rules is gone, the others stay. */
export function changedUsers(present: readonly UserSpec[], said: readonly UserSpec[]): UserSpec[] {
  const users = new Map(present.map((one) => [one.name, one]));
  for (const one of said) {
    if (one.rules === '') users.delete(one.name);
    else users.set(one.name, one);
  }
  return [...users.values()];
}
