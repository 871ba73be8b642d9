/**
 * Spec files: YAML documents, one a database, such as `name: orders`, `shards: 3`, `memory: 1gb`. The fields are those
 * of the spec; whatever is wrong is told with its line and column, all of it at once.
 */
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseAllDocuments,
} from 'yaml';
import { ValkeeperError } from '../domain/errors.ts';
import { isName } from '../domain/ids.ts';
import { formatSize, parseSize } from '../domain/size.ts';
import { type DatabaseSpec, DEFAULT_SPEC, SPEC_LIMITS, type UserSpec } from '../domain/spec.ts';
import { userMistake, usersMistake } from '../domain/user-rules.ts';
import { type SpecField, specFields } from '../protocol/spec-fields.ts';
import { isEmpty, type Mistake, offsetOf, show, suggestion, tellMistakes } from './yaml-mistakes.ts';

/** More than any file of specs needs; a file that is larger, or has more documents, is refused unread. */
const MAX_BYTES = 1024 ** 2;
const MAX_DOCUMENTS = 100;

/** One database as a file asks for it; what the file leaves out is left to the server. */
export interface NamedSpec {
  name: string;
  spec: Partial<DatabaseSpec>;
}

/**
 * The databases that the text asks for, in its order.
 * @param file how the text is called in errors
 * @throws spec_file_invalid with every mistake
 */
export function readSpecs(text: string, file: string): NamedSpec[] {
  const lines = new LineCounter();
  const refuse = (mistakes: readonly Mistake[]): never => {
    const errors = tellMistakes(mistakes, file, lines);
    throw new ValkeeperError('spec_file_invalid', { file, errors, fields: KEYS.join(', ') });
  };
  if (Buffer.byteLength(text) > MAX_BYTES) refuse([{ offset: 0, text: `larger than ${formatSize(MAX_BYTES)}` }]);
  const parsed = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const documents = [...parsed].filter(({ contents, errors }) => !isEmpty(contents) || errors.length > 0);
  if (documents.length === 0) refuse([{ offset: 0, text: 'no database in it: write at least `name: ...`' }]);
  if (documents.length > MAX_DOCUMENTS) refuse([{ offset: 0, text: `more than ${MAX_DOCUMENTS} documents` }]);
  const mistakes: Mistake[] = [];
  const names = new Set<string>();
  const specs = documents.map((document) => {
    const reader = new DocumentReader(document as Document, mistakes);
    return reader.read(names);
  });
  return mistakes.length > 0 ? refuse(mistakes) : specs;
}

const KEYS = ['name', ...specFields().map(([, { key }]) => key)];

class DocumentReader {
  readonly #document: Document;
  readonly #mistakes: Mistake[];

  constructor(document: Document, mistakes: Mistake[]) {
    this.#document = document;
    this.#mistakes = mistakes;
  }

  read(names: Set<string>): NamedSpec {
    const { contents, errors } = this.#document;
    for (const { pos, message } of errors) this.#wrong(pos[0], message);
    const spec: Partial<DatabaseSpec> = {};
    if (errors.length > 0) return { name: '', spec };
    if (!isMap(contents)) {
      this.#wrong(offsetOf(contents), 'must be a list of fields, such as `name: orders`');
      return { name: '', spec };
    }
    let name: string | null = null;
    const places = new Map<string, number>();
    for (const pair of contents.items as Pair<Node, Node | null>[]) {
      const key = isScalar(pair.key) ? String(pair.key.value) : '';
      const value = this.#resolved(pair.value);
      const offset = value ? offsetOf(value) : offsetOf(pair.key);
      places.set(key, offset);
      if (value === undefined) continue;
      const found = specFields().find(([, field]) => field.key === key);
      if (key === 'name') name = this.#nameOf(value, offset, names);
      else if (found) Object.assign(spec, this.#field(...found, value, offset));
      else this.#wrong(offsetOf(pair.key), `${key || 'this'}: unknown field${suggestion(key, KEYS)}`);
    }
    if (name === null && !places.has('name')) this.#wrong(offsetOf(contents), 'name: missing');
    this.#checkTogether(spec, places, offsetOf(contents));
    return { name: name ?? '', spec };
  }

  #wrong(offset: number, text: string): void {
    this.#mistakes.push({ offset, text });
  }

  /** What an alias stands for; undefined when that is nothing, which is told. */
  #resolved(node: Node | null): Node | null | undefined {
    if (!isAlias(node)) return node;
    const found = node.resolve(this.#document) as Node | undefined;
    if (!found) this.#wrong(offsetOf(node), `*${node.source}: no value before it is marked &${node.source}`);
    return found;
  }

  #nameOf(node: Node | null, offset: number, names: Set<string>): string | null {
    const value = isScalar(node) ? node.value : undefined;
    if (typeof value !== 'string' || !isName(value)) {
      this.#wrong(
        offset,
        `name: must be 1 to 40 lower-case letters, digits and hyphens, starting with a letter, is ${show(node)}`,
      );
      return null;
    }
    if (names.has(value)) this.#wrong(offset, `name: ${value} is in this file twice`);
    names.add(value);
    return value;
  }

  /** A list of maps of a name and rules. */
  #users(node: Node | null, offset: number): UserSpec[] {
    if (!isSeq(node)) {
      this.#wrong(offset, `users: must be a list of users with name and rules, is ${show(node)}`);
      return [];
    }
    const users = (node.items as Node[]).flatMap((item) => this.#user(this.#resolved(item) ?? null));
    const mistake = usersMistake(users);
    // What is wrong with one of them has been told at its place.
    if (mistake && users.every((user) => userMistake(user) === null)) this.#wrong(offset, `users: ${mistake}`);
    return users;
  }

  #user(node: Node | null): UserSpec[] {
    const offset = offsetOf(node);
    const fields = isMap(node) ? (node.toJS(this.#document) as Record<string, unknown>) : {};
    const { name, rules, ...others } = fields;
    if (typeof name !== 'string' || typeof rules !== 'string' || Object.keys(others).length > 0) {
      this.#wrong(offset, 'users: each has a name and rules, both texts, and nothing else');
      return [];
    }
    const mistake = userMistake({ name, rules });
    if (mistake) this.#wrong(offset, `users: ${mistake}`);
    return [{ name, rules }];
  }

  #field(name: keyof DatabaseSpec, field: SpecField, node: Node | null, offset: number): Partial<DatabaseSpec> {
    if (field.kind === 'users') return { users: this.#users(node, offset) };
    const read = readValue(field, isScalar(node) ? node.value : undefined);
    if (read !== null) return { [name]: read };
    this.#wrong(offset, `${field.key}: must be ${requirement(field)}, is ${show(node)}`);
    return {};
  }

  /** What each is right for itself and wrong together. */
  #checkTogether(spec: Partial<DatabaseSpec>, places: ReadonlyMap<string, number>, offset: number): void {
    const { shards, memoryBytes } = { ...DEFAULT_SPEC, ...spec };
    const leastBytes = SPEC_LIMITS.memoryBytesPerShard.min * shards;
    if (memoryBytes >= leastBytes) return;
    const said = `${formatSize(memoryBytes)} for ${shards} shards`;
    this.#wrong(
      places.get('memory') ?? places.get('shards') ?? offset,
      `memory: must be at least ${formatSize(leastBytes)}, is ${said}`,
    );
  }
}

/** A field whose value is one word or number. */
type ScalarField = Exclude<SpecField, { kind: 'users' }>;

/** The value in the field's kind; null when it is of another. */
function readValue(field: ScalarField, value: unknown): DatabaseSpec[keyof DatabaseSpec] | null {
  switch (field.kind) {
    case 'integer': {
      const fits = typeof value === 'number' && Number.isInteger(value) && value >= field.min && value <= field.max;
      return fits ? value : null;
    }
    case 'size':
      return typeof value === 'string' ? parseSize(value) : null;
    case 'choice':
      return typeof value === 'string' && field.choices.includes(value) ? (value as DatabaseSpec['persistence']) : null;
    case 'switch':
      return typeof value === 'boolean' ? value : null;
  }
}

function requirement(field: ScalarField): string {
  switch (field.kind) {
    case 'integer':
      return `${field.min} to ${field.max}`;
    case 'size':
      return 'a size with a unit, such as 512mb or 2gb';
    case 'choice':
      return `one of ${field.choices.join(', ')}`;
    case 'switch':
      return 'true or false';
  }
}
