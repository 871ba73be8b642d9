/** Strict reading of option values. Every failure names the option as it was typed and says what would be accepted. */
import { ValkeeperError } from '../domain/errors.ts';
import { parseSize } from '../domain/size.ts';
import type { UserSpec } from '../domain/spec.ts';
import { userMistake } from '../domain/user-rules.ts';

type Parser<T> = (text: string) => T;

const refuse = (field: string, problem: string, remedy: string): ValkeeperError =>
  new ValkeeperError('invalid_value', { field, problem, remedy });

/** A whole number in decimal digits, within bounds. The parser throws invalid_value. */
export function integer(option: string, { min, max }: { min: number; max: number }): Parser<number> {
  return (text) => {
    const value = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw refuse(option, `must be ${min} to ${max}, is ${text}`, `Write a whole number, such as ${option} ${min}.`);
  };
}

/** A size in bytes, written with a unit. The parser throws invalid_value. */
export function size(option: string): Parser<number> {
  return (text) => {
    const bytes = parseSize(text);
    if (bytes !== null) return bytes;
    const remedy = `Write a number with a unit (kb, mb, gb, tb), such as ${option} 512mb or ${option} 2gb.`;
    throw refuse(option, `must be a size, is ${text}`, remedy);
  };
}

/** One of a closed set, which the parser carries for completion. The parser throws invalid_value. */
export function choice<T extends string>(option: string, choices: readonly T[]): Parser<T> & { choices: readonly T[] } {
  const parse: Parser<T> = (text) => {
    const found = choices.find((candidate) => candidate === text);
    if (found) return found;
    throw refuse(
      option,
      `must be one of ${choices.join(', ')}, is ${text}`,
      `Choose one, such as ${option} ${choices[0]}.`,
    );
  };
  return Object.assign(parse, { choices });
}

/** A user with its rules, of an option that may be given several times. The parser throws invalid_value. */
export function user(option: string): (text: string, before?: readonly UserSpec[]) => readonly UserSpec[] {
  return (text, before = []) => {
    const [, name = '', rules = ''] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
    const one = { name, rules: rules.trim() };
    const problem = name === '' ? `must be NAME=RULES, is ${text}` : userMistake(one);
    if (problem === null) return [...before, one];
    throw refuse(option, problem, `Write a name and rules, such as ${option} app='~app:* +@all'.`);
  };
}
