/** The OpenAPI 3.1 document, made from the table of routes and its schemas. */
import { z } from 'zod';
import { ERRORS, type ErrorCode, httpStatusOf } from '../domain/errors.ts';
import { ANSWERS } from '../protocol/answers.ts';
import { API_PREFIX } from '../protocol/prefix.ts';
import { RDB_HEADERS } from '../protocol/rdb-headers.ts';
import { ROUTES, type Route } from '../protocol/routes.ts';
import { BODY_LIMIT_BYTES, PROBLEM_TYPE } from './problem.ts';

type Json = Record<string, unknown>;

const INPUT_ERRORS: readonly ErrorCode[] = ['invalid_value', 'unknown_field'];
const BODY_ERRORS: readonly ErrorCode[] = ['body_too_large'];
const ALWAYS: readonly ErrorCode[] = ['not_authorized', 'internal'];

/** The document, as JSON. */
export function openApiDocument(): Json {
  const paths: Record<string, Json> = {};
  for (const [key, route] of Object.entries<Route>(ROUTES)) {
    const [method = '', path = ''] = key.split(' ');
    paths[API_PREFIX + path] = { ...paths[API_PREFIX + path], [method.toLowerCase()]: operation(key, route) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Valkeeper',
      version: '1',
      description:
        'Everything Valkeeper can be asked. The token is the text of the file `token` in the data directory. Whatever is ' +
        'refused is answered with a problem document that has a stable `code`; docs/errors.md lists them all. No request ' +
        `body is larger than ${BODY_LIMIT_BYTES} bytes.`,
    },
    security: [{ token: [] }],
    paths,
    components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } }, schemas: components() },
  };
}

function operation(key: string, route: Route): Json {
  const { summary, params, query, body, ifMatch, stream, bytes, status, answer, etag } = route;
  const parameters = [
    ...parametersOf('path', params),
    ...parametersOf('query', query),
    ...(ifMatch ? [header('If-Match', 'The ETag that was looked at; another present one refuses the change.')] : []),
    ...(stream ? [header('Last-Event-ID', 'Number of the last event that was read.')] : []),
  ];
  return {
    operationId: key.replace(/[^A-Za-z]+/g, '_').replace(/_$/, ''),
    summary,
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body
      ? {
          requestBody: {
            required: isRequired(body),
            content: { 'application/json': { schema: schemaOf(body, 'input') } },
          },
        }
      : {}),
    responses: {
      [status]: {
        description: summary,
        ...(etag ? { headers: { ETag: { schema: { type: 'string' }, description: 'Generation of the spec.' } } } : {}),
        ...(bytes ? { headers: rdbHeaders() } : {}),
        content: { [contentTypeOf(route)]: { schema: reference(answer) } },
      },
      ...refusals([...INPUT_ERRORS, ...(body ? BODY_ERRORS : []), ...route.errors, ...ALWAYS]),
    },
  };
}

const contentTypeOf = ({ stream, bytes }: Route): string =>
  stream ? 'text/event-stream' : bytes ? 'application/octet-stream' : 'application/json';

const rdbHeaders = (): Json =>
  Object.fromEntries(
    Object.values(RDB_HEADERS).map(({ name, description }) => [name, { schema: { type: 'string' }, description }]),
  );

const isRequired = (schema: z.ZodType): boolean => !schema.safeParse(undefined).success;
const reference = (name: string): Json => ({ $ref: `#/components/schemas/${name}` });
const header = (name: string, description: string): Json => ({
  name,
  in: 'header',
  required: false,
  description,
  schema: { type: 'string' },
});

const parametersOf = (place: 'path' | 'query', schema: z.ZodObject | undefined): Json[] =>
  Object.entries(schema?.shape ?? {}).map(([name, field]) => ({
    name,
    in: place,
    required: isRequired(field as z.ZodType),
    schema: schemaOf(field as z.ZodType, 'output'),
  }));

/** The refusals by HTTP status, each with its codes and what they say. */
function refusals(codes: readonly ErrorCode[]): Record<string, Json> {
  const answers: Record<string, Json> = {};
  for (const status of new Set(codes.map(statusOf).sort())) {
    const here = [...new Set(codes)].filter((code) => statusOf(code) === status);
    answers[status] = {
      description: here.map((code) => `\`${code}\`: ${ERRORS[code].message}`).join('\n'),
      content: { [PROBLEM_TYPE]: { schema: reference('Problem') } },
    };
  }
  return answers;
}

const statusOf = (code: ErrorCode): number => httpStatusOf({ code, kind: ERRORS[code].kind });

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io });
  return rest;
}

/** Every answer under its name; one that holds another refers to it. */
function components(): Json {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(ANSWERS)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, { uri: (id) => `#/components/schemas/${id}` });
  return Object.fromEntries(
    Object.entries(schemas).map(([name, { $schema: _dialect, $id: _id, ...schema }]) => [name, schema]),
  );
}
