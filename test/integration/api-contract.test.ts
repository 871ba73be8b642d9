import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ERRORS } from '../../src/domain/errors.ts';
import { ANSWERS } from '../../src/protocol/answers.ts';
import { RDB_HEADERS } from '../../src/protocol/rdb-headers.ts';
import { ROUTES, type RouteKey } from '../../src/protocol/routes.ts';
import { type Fleet, withFleet } from '../support/fleet.ts';

interface Schema {
  type?: string;
  enum?: string[];
  properties?: Record<string, Schema>;
}
interface Parameter {
  name: string;
  in: 'path' | 'query' | 'header';
  schema: Schema;
}
interface Operation {
  parameters?: Parameter[];
  requestBody?: { content: { 'application/json': { schema: Schema } } };
}
interface Document {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
}
interface Request {
  method: string;
  path: string;
  headers?: Record<string, string>;
  body?: unknown;
}

class Api {
  readonly #url: string;
  readonly #token: string;

  constructor({ dir, apiPort }: Fleet) {
    this.#url = `http://127.0.0.1:${apiPort}`;
    this.#token = readFileSync(join(dir, 'token'), 'utf8').trim();
  }

  call({ method, path, headers = {}, body }: Request): Promise<Response> {
    const content = body === undefined ? {} : { body: JSON.stringify(body) };
    const type = body === undefined ? {} : { 'content-type': 'application/json' };
    const all = { authorization: `Bearer ${this.#token}`, ...type, ...headers };
    return fetch(this.#url + path, { method: method.toUpperCase(), headers: all, ...content });
  }

  async get<T>(path: string): Promise<T> {
    return (await (await this.call({ method: 'GET', path })).json()) as T;
  }
}

/** Values for path parameters, so that a route finds what it names. */
const NAMES: Record<string, string> = { name: 'main', archive: 'main', shard: 'shard-1', source: 'server' };
const filled = (path: string): string => path.replace(/\{(\w+)\}/g, (_, name: string) => NAMES[name] ?? 'missing');

type Attack = [what: string, request: Request, status: number];

/** Everything that must be refused, read from the document. */
function attacks({ paths }: Document): Attack[] {
  return Object.entries(paths).flatMap(([template, operations]) => {
    const path = filled(template);
    const unknown = ['get', 'post', 'put', 'patch', 'delete'].filter((method) => !(method in operations));
    return [
      ...unknown.map((method): Attack => [`${method} ${path}`, { method, path }, 405]),
      ...Object.entries(operations).flatMap(([method, operation]) => attacksOn(method, path, operation)),
    ];
  });
}

function attacksOn(method: string, path: string, { parameters = [], requestBody }: Operation): Attack[] {
  const name = `${method} ${path}`;
  const request = { method, path };
  const query = parameters.filter((one) => one.in === 'query' && (one.schema.type !== 'string' || one.schema.enum));
  const stale = parameters.some((one) => one.name === 'If-Match');
  return [
    [`${name} without a token`, { ...request, headers: { authorization: '' } }, 401],
    [`${name} with a wrong token`, { ...request, headers: { authorization: 'Bearer wrong' } }, 401],
    [`${name} with an unknown query`, { ...request, path: `${path}?surprise=1` }, 400],
    ...query.map((one): Attack => [`${name} ?${one.name}`, { ...request, path: `${path}?${one.name}=-x` }, 400]),
    ...(stale
      ? [
          [
            `${name} with a stale ETag`,
            { ...request, ...(requestBody ? { body: {} } : {}), headers: { 'if-match': '"99999"' } },
            412,
          ] satisfies Attack,
        ]
      : []),
    ...(requestBody ? bodyAttacks(name, request, requestBody.content['application/json'].schema) : []),
  ];
}

function bodyAttacks(name: string, request: Request, schema: Schema): Attack[] {
  const wrong = (what: string, body: unknown, status = 400): Attack => [
    `${name} ${what}`,
    { ...request, body },
    status,
  ];
  return [
    wrong('with a list', []),
    wrong('with a text', 'text'),
    wrong('with too much', 'x'.repeat(70_000), 413),
    ...wrongBodies(schema).map(([what, body]) => wrong(what, body)),
  ];
}

/** Bodies of which one field, at any depth, is unknown or of a wrong type, and all the others are right. */
function wrongBodies({ properties = {} }: Schema): [string, unknown][] {
  const right = 'name' in properties ? { name: 'contract' } : {};
  return [
    ['with an unknown field', { ...right, surprise: 1 }],
    ...Object.entries(properties).flatMap(([field, schema]): [string, unknown][] => [
      [`with a wrong ${field}`, { ...right, [field]: schema.type === 'object' ? 7 : {} }],
      ...(schema.properties
        ? wrongBodies(schema).map(([what, inner]): [string, unknown] => [
            `${what} in ${field}`,
            { ...right, [field]: inner },
          ])
        : []),
    ]),
  ];
}

/** All that a refused request could have changed. */
const present = async (api: Api): Promise<unknown> => {
  const { databases } = await api.get<{ databases: { name: string; generation: number; state: string }[] }>(
    '/v1/databases',
  );
  return databases.map(({ name, generation, state }) => ({ name, generation, deleting: state === 'deleting' }));
};

/** A call of every route whose answer is one document, in an order in which each finds what it needs. */
const CALLS: Partial<Record<RouteKey, Request[]>> = {
  'GET /openapi.json': [{ method: 'GET', path: '/v1/openapi.json' }],
  'GET /status': [{ method: 'GET', path: '/v1/status' }],
  'GET /databases': [{ method: 'GET', path: '/v1/databases' }],
  'GET /databases/{name}': [{ method: 'GET', path: '/v1/databases/main' }],
  'GET /databases/{name}/failovers': [{ method: 'GET', path: '/v1/databases/main/failovers' }],
  'POST /databases/{name}/rebalance': [
    { method: 'POST', path: '/v1/databases/main/rebalance', body: { by: 'memory', dryRun: true } },
  ],
  'GET /databases/{name}/hotspots': [{ method: 'GET', path: '/v1/databases/main/hotspots?seconds=1' }],
  'POST /databases/{name}/backups': [{ method: 'POST', path: '/v1/databases/main/backups', body: {} }],
  'PUT /databases/{name}/backup-schedule': [
    { method: 'PUT', path: '/v1/databases/main/backup-schedule', body: { cron: '0 3 * * *', keep: 3 } },
  ],
  'GET /databases/{name}/backup-schedule': [{ method: 'GET', path: '/v1/databases/main/backup-schedule' }],
  'DELETE /databases/{name}/backup-schedule': [{ method: 'DELETE', path: '/v1/databases/main/backup-schedule' }],
  'PUT /databases/{name}/archive': [
    { method: 'PUT', path: '/v1/databases/main/archive', body: { everySeconds: 1, keepDays: 7 } },
  ],
  'GET /archives': [{ method: 'GET', path: '/v1/archives' }],
  'GET /archives/{archive}': [{ method: 'GET', path: '/v1/archives/main' }],
  'DELETE /databases/{name}/archive': [{ method: 'DELETE', path: '/v1/databases/main/archive' }],
  'DELETE /archives/{archive}': [{ method: 'DELETE', path: '/v1/archives/main' }],
  'GET /backups': [{ method: 'GET', path: '/v1/backups?database=main' }],
  'GET /databases/{name}/explain': [{ method: 'GET', path: '/v1/databases/main/explain' }],
  'POST /databases/{name}/shards/{shard}/switchover': [
    { method: 'POST', path: '/v1/databases/main/shards/shard-1/switchover', body: {} },
  ],
  'GET /databases/{name}/password': [{ method: 'GET', path: '/v1/databases/main/password' }],
  'POST /plans': [
    { method: 'POST', path: '/v1/plans', body: { name: 'main' } },
    { method: 'POST', path: '/v1/plans', body: { name: 'other', spec: { shards: 1, memoryBytes: 16 * 1024 ** 2 } } },
  ],
  'POST /databases': [
    {
      method: 'POST',
      path: '/v1/databases',
      body: { name: 'contract', spec: { shards: 1, replicas: 0, memoryBytes: 16 * 1024 ** 2, auth: false } },
    },
  ],
  'GET /conditions': [
    { method: 'GET', path: '/v1/conditions' },
    { method: 'GET', path: '/v1/conditions?database=contract&severity=warning' },
  ],
  'POST /endpoints/restart': [{ method: 'POST', path: '/v1/endpoints/restart', body: { drainSeconds: 0 } }],
  'GET /machines': [{ method: 'GET', path: '/v1/machines' }],
  'GET /machines/{name}': [{ method: 'GET', path: '/v1/machines/machine-1' }],
  'POST /machines/{name}/drain': [{ method: 'POST', path: '/v1/machines/machine-1/drain' }],
  'POST /machines/{name}/resume': [{ method: 'POST', path: '/v1/machines/machine-1/resume' }],
  'PATCH /machines/{name}/labels': [
    { method: 'PATCH', path: '/v1/machines/machine-1/labels', body: { rack: '7', zone: 'eu-1a' } },
    { method: 'PATCH', path: '/v1/machines/machine-1/labels', body: { rack: null } },
  ],
  'GET /machine-tokens': [{ method: 'GET', path: '/v1/machine-tokens' }],
  'GET /events': [{ method: 'GET', path: '/v1/events?limit=1000' }],
  'GET /logs/{source}': [{ method: 'GET', path: '/v1/logs/server?lines=3' }],
  'PATCH /databases/{name}/spec': [
    {
      method: 'PATCH',
      path: '/v1/databases/contract/spec',
      body: { eviction: 'allkeys-lru' },
      headers: { 'if-match': '"1"' },
    },
  ],
  'PUT /databases/{name}/spec': [
    {
      method: 'PUT',
      path: '/v1/databases/contract/spec',
      body: { shards: 1, replicas: 0, memoryBytes: 32 * 1024 ** 2, auth: false },
      headers: { 'if-match': '"2"' },
    },
    {
      method: 'PUT',
      path: '/v1/databases/second/spec',
      body: { shards: 1, replicas: 0, memoryBytes: 16 * 1024 ** 2 },
      headers: { 'if-match': '"0"' },
    },
  ],
  'DELETE /databases/{name}': [{ method: 'DELETE', path: '/v1/databases/contract', headers: { 'if-match': '"3"' } }],
  'POST /shutdown': [{ method: 'POST', path: '/v1/shutdown', body: { loseUnsavedData: true } }],
};

test('every route keeps what the document promises', async () => {
  await withFleet({}, async (fleet) => {
    const api = new Api(fleet);
    const document = await api.get<Document>('/v1/openapi.json');
    const operations = Object.values(document.paths).flatMap((path) => Object.keys(path));
    assert.equal(operations.length, Object.keys(ROUTES).length);

    const before = await present(api);
    for (const [what, request, status] of attacks(document)) {
      const response = await api.call(request);
      const text = await response.text();
      assert.equal(response.status, status, `${what}: ${text}`);
      assert.match(response.headers.get('content-type') ?? '', /^application\/problem\+json/, what);
      assert.equal(response.headers.has('allow'), status === 405, `${what}: Allow`);
      const { code } = ANSWERS.Problem.parse(JSON.parse(text));
      assert.ok(code in ERRORS, `${what}: ${code} is in no catalogue`);
    }
    assert.deepEqual(await present(api), before, 'a refused request changed something');

    const authority = await api.call({ method: 'GET', path: '/v1/authorities' });
    assert.equal(authority.status, 404, 'a fleet on one host has none: see tls-fleet.test.ts');
    const untried = Object.keys(ROUTES).filter((key) => !(key in CALLS));
    // A machine is removed when it is empty: test/integration/drain.test.ts. Tokens are made where a server listens for
    // machines: test/integration/joining.test.ts. Whose machine is lost is taken over from: test/integration/override.test.ts.
    // Slots that are on their way: test/integration/reshard.test.ts. A backup by its id: test/integration/backup.test.ts.
    // What is no document: below.
    const elsewhere = [
      'POST /databases/{name}/reshard',
      'GET /databases/{name}/shards/{shard}/rdb',
      'GET /backups/{id}',
      'POST /backups/{id}/verify',
      'DELETE /backups/{id}',
      'POST /restores',
      'POST /databases/{name}/shards/{shard}/takeover',
      'GET /authorities',
      'DELETE /machines/{name}',
      'POST /machine-tokens',
      'DELETE /machine-tokens/{id}',
      'GET /events/stream',
    ];
    assert.deepEqual(untried, elsewhere, 'routes whose answer nobody compared');
    const rdb = await api.call({ method: 'GET', path: '/v1/databases/main/shards/shard-1/rdb' });
    assert.equal(rdb.status, ROUTES['GET /databases/{name}/shards/{shard}/rdb'].status);
    assert.equal(rdb.headers.get('content-type'), 'application/octet-stream');
    for (const { name } of Object.values(RDB_HEADERS)) assert.ok(rdb.headers.get(name), name);
    assert.match(Buffer.from(await rdb.arrayBuffer()).toString('latin1'), /^VALKEY080/);
    const database = await api.call({ method: 'GET', path: '/v1/databases/main' });
    assert.equal(database.headers.get('etag'), '"1"');
    for (const [key, requests] of Object.entries(CALLS) as [RouteKey, Request[]][]) {
      for (const request of requests) {
        const response = await api.call(request);
        const text = await response.text();
        assert.equal(response.status, ROUTES[key].status, `${key}: ${text}`);
        const { error } = ANSWERS[ROUTES[key].answer].safeParse(JSON.parse(text));
        assert.equal(error, undefined, `${key} answers otherwise than documented: ${error}`);
      }
    }
  });
});
