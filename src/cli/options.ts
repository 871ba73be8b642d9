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

const DURATION_UNITS: Record<string, number> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** A time in seconds, written with a unit (s, m, h, d), within bounds. The parser throws invalid_value. */
export function duration(option: string, { min, max }: { min: number; max: number }): Parser<number> {
  return (text) => {
    const [, count = '', unit = ''] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
    const seconds = count === '' ? Number.NaN : Number(count) * DURATION_UNITS[unit]!;
    if (seconds >= min && seconds <= max) return seconds;
    const remedy = `Write a number with a unit (s, m, h, d), from ${min}s to ${max}s, such as ${option} 1h.`;
    throw refuse(option, `must be a time, is ${text}`, remedy);
  };
}

/** Ports from the first to the last. The parser throws invalid_value. */
export function portRange(option: string, { min, max }: { min: number; max: number }): Parser<[number, number]> {
  return (text) => {
    const [, from = 0, to = 0] = (/^(\d{1,5})-(\d{1,5})$/.exec(text) ?? []).map(Number);
    if (from >= min && from <= to && to <= max) return [from, to];
    throw refuse(option, `must be two ports from ${min} to ${max}, is ${text}`, `Write ${option} 7000-7999.`);
  };
}

/** Of an option that may be given several times: all that was said. */
export const repeated = (text: string, before: readonly string[] = []): string[] => [...before, text];

/** Names and values, of an option that may be given several times. The parser throws invalid_value. */
export function labelled(option: string): (text: string, before?: Record<string, string>) => Record<string, string> {
  return (text, before = {}) => {
    const [, name, value] = /^([^=]+)=(.+)$/.exec(text) ?? [];
    if (name !== undefined && value !== undefined) return { ...before, [name]: value };
    throw refuse(option, `must be LABEL=VALUE, is ${text}`, `Write a name and a value, such as ${option} rack=7.`);
  };
}

/** Addresses of servers, with commas between them. The parser throws invalid_value. */
export function serverUrls(option: string): Parser<string[]> {
  return (text) => text.split(',').map((one) => serverUrl(option, one));
}

/** The address of one server, as it is used from here on. @throws invalid_value */
export function serverUrl(option: string, text: string): string {
  const url = URL.parse(text.trim());
  const isPlace = url !== null && url.pathname === '/' && url.search === '' && url.hash === '' && url.username === '';
  if (url?.protocol === 'https:' && isPlace && url.port !== '') return url.origin;
  throw refuse(option, `must be https://HOST:PORT, is ${text}`, `Write ${option} https://10.0.0.1:7440.`);
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
