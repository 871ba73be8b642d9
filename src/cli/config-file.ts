/**
 * Configuration files: YAML whose keys are the long options of a command. A value is read by the option's own parser, so
 * that the file and the command line cannot differ in what they take.
 */
import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError, type Option } from 'commander';
import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument } from 'yaml';
import { ValkeeperError } from '../domain/errors.ts';
import { formatSize } from '../domain/size.ts';
import { fileError } from '../platform/files.ts';
import { type ConfigKey, configKeys, takesValue } from './config-keys.ts';
import { isEmpty, type Mistake, offsetOf, show, suggestion, tellMistakes } from './yaml-mistakes.ts';

/** Far more than all options need; a larger file is refused unread. */
const MAX_BYTES = 256 * 1024;

/** Sources of values that are stronger than a file. */
const STRONGER = ['cli', 'env'];

/**
 * Gives the command what the file says, where neither the command line nor the environment says it.
 * @throws file_unusable, config_file_invalid with every mistake
 */
export function applyConfigFile(command: Command, file: string): void {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw fileError('read', file, error);
  }
  for (const [{ option, holder }, value] of readConfig(text, file, command)) {
    const name = option.attributeName();
    if (STRONGER.includes(holder.getOptionValueSource(name) ?? '') || isInEnvironment(option)) continue;
    holder.setOptionValueWithSource(name, value, 'config');
  }
}

/** The data directory's variable is read where its default is; commander knows those of other options. */
const isInEnvironment = (option: Option): boolean =>
  option.name() === 'data-dir' && (process.env['VALKEEPER_HOME'] ?? '') !== '';

/**
 * The values that a text gives to the options of a command.
 * @param file how the text is called in errors
 * @throws config_file_invalid with every mistake
 */
export function readConfig(text: string, file: string, command: Command): Map<ConfigKey, unknown> {
  const keys = configKeys(command);
  const known = keys.map(({ key }) => key);
  const lines = new LineCounter();
  const refuse = (mistakes: readonly Mistake[]): never => {
    const errors = tellMistakes(mistakes, file, lines);
    throw new ValkeeperError('config_file_invalid', { file, errors, keys: known.join(', '), process: command.name() });
  };
  if (Buffer.byteLength(text) > MAX_BYTES) refuse([{ offset: 0, text: `larger than ${formatSize(MAX_BYTES)}` }]);
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  if (document.errors.length > 0) {
    refuse(document.errors.map(({ pos, message }) => ({ offset: pos[0], text: message })));
  }
  const { contents } = document;
  const values = new Map<ConfigKey, unknown>();
  if (isEmpty(contents)) return values;
  if (!isMap(contents)) {
    return refuse([
      { offset: offsetOf(contents), text: 'must be a list of options, such as `data-dir: /srv/valkeeper`' },
    ]);
  }
  const mistakes: Mistake[] = [];
  for (const pair of contents.items as Pair<Node, Node | null>[]) {
    const name = isScalar(pair.key) ? String(pair.key.value) : '';
    const found = keys.find(({ key }) => key === name);
    if (!found) {
      mistakes.push({ offset: offsetOf(pair.key), text: `${name || 'this'}: unknown key${suggestion(name, known)}` });
      continue;
    }
    const read = readNode(found, pair.value, document as Document);
    if ('value' in read) values.set(found, read.value);
    else mistakes.push({ offset: offsetOf(pair.value ?? pair.key), text: `${name}: ${read.mistake}` });
  }
  return mistakes.length > 0 ? refuse(mistakes) : values;
}

type Read = { value: unknown } | { mistake: string };

/** As `readValue`, of what an alias stands for. */
function readNode(key: ConfigKey, node: Node | null, document: Document): Read {
  if (!isAlias(node)) return readValue(key, node);
  const found = node.resolve(document) as Node | undefined;
  if (found) return readValue(key, found);
  return { mistake: `*${node.source}: no value before it is marked &${node.source}` };
}

/** What stands behind a key, in the kind of its option. */
function readValue({ option }: ConfigKey, node: Node | null): Read {
  const isSwitch = isScalar(node) && typeof node.value === 'boolean';
  if (isSwitch && !option.required) return { value: node.value };
  if (!takesValue(option)) return { mistake: `must be true or false, is ${show(node)}` };
  const items = isSeq(node) ? (node.items as Node[]) : [node];
  let value: unknown = option.defaultValue;
  for (const [index, item] of items.entries()) {
    const text = textOf(item);
    if (text === null) return { mistake: `must be a value, is ${show(item)}` };
    const read = parsed(option, text, value);
    if ('mistake' in read) return read;
    value = read.value;
    if (index === 0 && isSeq(node) && !isRepeatable(value)) return { mistake: 'takes one value, is a list' };
  }
  return { value };
}

/** As it would be typed; null when nobody could type it. */
const textOf = (node: Node | null): string | null =>
  isScalar(node) && (typeof node.value === 'string' || typeof node.value === 'number')
    ? String(typeof node.value === 'string' ? node.value : (node.source ?? node.value))
    : null;

/** An option that may be given several times collects what it is given. */
const isRepeatable = (value: unknown): boolean => typeof value === 'object';

/** One value, as commander reads it from the command line. */
function parsed(option: Option, text: string, before: unknown): Read {
  try {
    if (option.parseArg) return { value: option.parseArg(text, before) };
  } catch (error) {
    if (error instanceof ValkeeperError && error.kind === 'invalid') {
      return { mistake: error.message.replace(`--${option.name()}: `, '') };
    }
    if (error instanceof InvalidArgumentError) return { mistake: error.message };
    throw error;
  }
  const collected = before === option.defaultValue || !Array.isArray(before) ? [] : before;
  return { value: option.variadic ? [...collected, text] : text };
}
