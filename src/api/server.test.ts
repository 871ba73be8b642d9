import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { pino } from 'pino';
import type { ControlPlane } from '../control/control-plane.ts';
import { ValkeeperError } from '../domain/errors.ts';
import { toProblem } from './problem.ts';
import { createApi } from './server.ts';

const calls: unknown[] = [];

/** Knows no database, takes every wish, and cannot show its machines. */
const control = {
  databases: () => [],
  database: (name: string) => {
    throw new ValkeeperError('database_not_found', { name });
  },
  createDatabase: async (request: unknown) => {
    calls.push(request);
    return { name: 'a', generation: 1 };
  },
  fleet: {
    statuses: () => {
      throw new Error('a defect');
    },
  },
  events: async (query: unknown) => {
    calls.push(query);
    return [];
  },
  log: async (source: string, lines: number) => ({ source, text: `${lines}` }),
} as unknown as ControlPlane;

let shutDowns = 0;
const over = Promise.withResolvers<void>();
const api = createApi({
  control,
  token: 'right',
  log: pino({ enabled: false }),
  shutDown: async () => void shutDowns++,
  afterShutDown: over.resolve,
});
let url: string;

before(async () => {
  url = `http://127.0.0.1:${await api.listen(0)}`;
});
after(() => api.close());

const call = (method: string, path: string, body?: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(url + path, {
    method,
    headers: { authorization: 'Bearer right', ...(body ? { 'content-type': 'application/json' } : {}), ...headers },
    ...(body ? { body } : {}),
  });

const refusals: [what: string, request: Parameters<typeof call>, status: number, code: string, words: RegExp][] = [
  ['no token', ['GET', '/v1/databases', undefined, { authorization: '' }], 401, 'not_authorized', /token/],
  ['a wrong token', ['GET', '/v1/x', undefined, { authorization: 'Bearer righ' }], 401, 'not_authorized', /token/],
  ['an unknown route', ['GET', '/v1/nothing?x=1'], 404, 'route_not_found', /^There is no GET \/v1\/nothing\.$/],
  ['another method', ['PATCH', '/v1/databases?x=1'], 405, 'method_not_allowed', /^\/v1\/databases takes no PATCH\.$/],
  ['a broken path', ['GET', '/v1/databases/%zz'], 400, 'invalid_value', /%zz/],
  ['an unknown database', ['GET', '/v1/databases/a'], 404, 'database_not_found', /named a\./],
  ['half a document', ['POST', '/v1/databases', '{"name":'], 400, 'invalid_value', /^body: must be a JSON document$/],
  ['no document', ['POST', '/v1/databases'], 400, 'invalid_value', /^body: must be an object, is missing$/],
  [
    'text',
    ['POST', '/v1/databases', 'name=a', { 'content-type': 'text/plain' }],
    400,
    'invalid_value',
    /^content-type: must be application\/json$/,
  ],
  ['too much', ['POST', '/v1/databases', `"${'x'.repeat(70_000)}"`], 413, 'body_too_large', /65536 bytes/],
  [
    'too many shards',
    ['POST', '/v1/databases', '{"name":"a","spec":{"shards":17000}}'],
    400,
    'invalid_value',
    /^spec\.shards: must be 1 to 500, is 17000$/,
  ],
  [
    'an unknown field',
    ['POST', '/v1/databases', '{"name":"a","spec":{"shard":3}}'],
    400,
    'unknown_field',
    /^spec\.shard: unknown field$/,
  ],
  ['a bad query', ['GET', '/v1/events?limit=3x'], 400, 'invalid_value', /^limit: must be 1 to 1000, is "3x"$/],
  ['a defect', ['GET', '/v1/machines'], 500, 'internal', /^Unexpected: a defect$/],
];

test('a method that a path does not take is answered with those that it takes', async () => {
  for (const [path, allowed] of [
    ['/v1/databases', 'GET, POST'],
    ['/v1/databases/x', 'GET, DELETE'],
    ['/v1/databases/x/spec', 'PATCH, PUT'],
    ['/v1/shutdown', 'POST'],
  ] as const) {
    const { status, headers } = await call('OPTIONS', path);
    assert.deepEqual([status, headers.get('allow')], [405, allowed], path);
  }
  assert.equal((await call('GET', '/v1/databases/x/y/z')).headers.get('allow'), null);
});

for (const [what, request, status, code, words] of refusals) {
  test(`refuses ${what}`, async () => {
    calls.length = 0;
    const response = await call(...request);
    const problem = (await response.json()) as Record<string, unknown>;
    assert.equal(response.status, status);
    assert.match(response.headers.get('content-type') ?? '', /^application\/problem\+json/);
    assert.equal(problem['code'], code);
    assert.equal(problem['status'], status);
    assert.match(String(problem['message']), words);
    assert.ok(problem['hint'] && problem['title'] && problem['kind'] && problem['type']);
    assert.deepEqual(calls, [], 'changes nothing');
  });
}

test('a title says what HTTP says where that is more exact than the kind', async () => {
  const titles: unknown[] = [];
  for (const [method, path] of [
    ['GET', '/v1/none'],
    ['OPTIONS', '/v1/shutdown'],
  ] as const) {
    titles.push(((await (await call(method, path)).json()) as { title: string }).title);
  }
  titles.push(toProblem(new ValkeeperError('not_authorized')).title);
  assert.deepEqual(titles, ['what it names does not exist', 'Method Not Allowed', 'Unauthorized']);
});

test('passes valid input on, with defaults', async () => {
  calls.length = 0;
  const created = await call('POST', '/v1/databases', '{"name":"a"}');
  assert.equal(created.status, 201);
  assert.equal(created.headers.get('location'), '/v1/databases/a');
  await call('GET', '/v1/events?database=a&after=0');
  assert.deepEqual(calls, [
    { name: 'a', spec: {} },
    { database: 'a', after: 0 },
  ]);
  assert.deepEqual(await (await call('GET', '/v1/logs/server')).json(), { source: 'server', text: '200' });
});

test('says when the answer to a shutdown is out', async () => {
  const response = await call('POST', '/v1/shutdown');
  assert.deepEqual(await response.json(), { stopped: true });
  await over.promise;
  assert.equal(shutDowns, 1);
});
