/** What a schema found wrong, as errors that name the field, what it must be, and what it was. */
import { z } from 'zod';
import { ValkeeperError } from '../domain/errors.ts';

type Issue = z.core.$ZodIssue;

/**
 * The value after validation.
 * @param root name of the whole, for issues that concern no single field, such as `body`
 * @throws unknown_field, invalid_value
 */
export function parseInput<S extends z.ZodType>(schema: S, value: unknown, root: string): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw toError(schema, result.error.issues[0]!, value, root);
}

function toError(schema: z.ZodType, issue: Issue, value: unknown, root: string): ValkeeperError {
  if (issue.code === 'unrecognized_keys') {
    const owner = fieldAt(schema, issue.path);
    const known = owner instanceof z.ZodObject ? Object.keys(owner.shape).join(', ') : 'none';
    return new ValkeeperError('unknown_field', { field: nameOf([...issue.path, issue.keys[0]!], root), known });
  }
  const must = requirement(fieldAt(schema, issue.path), issue);
  const field = nameOf(issue.path, root);
  return new ValkeeperError('invalid_value', {
    field,
    problem: `must be ${must}, is ${show(valueAt(value, issue.path))}`,
    remedy: `Allowed for ${field}: ${must}.`,
  });
}

const nameOf = (path: readonly PropertyKey[], root: string): string => path.map(String).join('.') || root;

/** The schema of one field, freed of what only says that it may be left out. */
function fieldAt(schema: z.ZodType, path: readonly PropertyKey[]): z.ZodType | undefined {
  let current: z.ZodType | undefined = bare(schema);
  for (const key of path) current = current instanceof z.ZodObject ? bare(current.shape[String(key)]) : undefined;
  return current;
}

function bare(schema: z.ZodType | undefined): z.ZodType | undefined {
  let current = schema;
  while (current instanceof z.ZodOptional || current instanceof z.ZodDefault || current instanceof z.ZodPrefault) {
    current = current.unwrap() as z.ZodType;
  }
  return current;
}

function requirement(field: z.ZodType | undefined, issue: Issue): string {
  if (field instanceof z.ZodEnum) return `one of ${field.options.join(', ')}`;
  if (field instanceof z.ZodNumber) return numberRequirement(field);
  if (field instanceof z.ZodBoolean) return 'true or false';
  if (field instanceof z.ZodString) return 'a text';
  if (field instanceof z.ZodObject) return 'an object';
  return issue.message;
}

function numberRequirement(field: z.ZodNumber): string {
  const bound = Math.max(field.minValue ?? 0, 0);
  const min = field.safeParse(bound).success ? bound : bound + 1;
  const max = field.maxValue ?? Number.MAX_SAFE_INTEGER;
  return max < Number.MAX_SAFE_INTEGER ? `${min} to ${max}` : `a whole number of at least ${min}`;
}

/** What the sender wrote there, before any conversion. */
const valueAt = (value: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>((inner, key) => (inner as Record<PropertyKey, unknown> | undefined)?.[key], value);

/** A value as the sender wrote it, cut where it gets long. */
function show(value: unknown): string {
  if (value === undefined) return 'missing';
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
}
