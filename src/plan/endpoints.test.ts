import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fleet, readyWorld } from '../../test/support/worlds.ts';
import type { DatabaseView, EndpointView, MachineView } from '../domain/view.ts';
import { diagnose } from './diagnose.ts';
import { endpointsOf } from './endpoints.ts';
import { forecast } from './forecast.ts';
import { plan } from './plan.ts';
import { statusOf } from './status.ts';

const { database, view } = readyWorld(fleet(3), { port: 6379 });

const serving: EndpointView = {
  pid: 1,
  metricsPort: null,
  problem: null,
  databases: [{ uid: 'uid', port: 6379, problem: null }],
};

const withEndpoints = (...endpoints: (EndpointView | null)[]): DatabaseView => ({
  ...view,
  machines: view.machines.map((machine, index): MachineView => ({ ...machine, endpoint: endpoints[index] ?? null })),
});

describe('endpoints', () => {
  it('are one at every machine; the first that serves is the database’s', () => {
    const closed = { ...serving, databases: [{ uid: 'uid', port: 6379, problem: 'the port is taken' }] };
    const { endpoint, endpoints } = endpointsOf(database, withEndpoints(closed, serving, null));
    assert.deepEqual(endpoint, { host: '127.0.0.12', port: 6379, url: 'redis://default@127.0.0.12:6379/0' });
    assert.deepEqual(
      endpoints.map(({ machine, host, serves }) => [machine, host, serves]),
      [
        ['machine-1', '127.0.0.11', false],
        ['machine-2', '127.0.0.12', true],
        ['machine-3', '127.0.0.13', false],
      ],
    );
    const open = { ...database, spec: { ...database.spec, auth: false } };
    assert.equal(endpointsOf(open, withEndpoints(serving)).endpoint?.url, 'redis://127.0.0.11:6379/0');
    assert.deepEqual(endpointsOf({ ...database, spec: { ...database.spec, port: 0 } }, view), {
      endpoint: null,
      endpoints: [],
    });
  });

  it('that do not serve are a problem each, with the reason; of those that nothing is known of, nothing is said', () => {
    const problems = (...endpoints: (EndpointView | null)[]) =>
      diagnose(database, withEndpoints(...endpoints)).map(({ code, machine, params }) => [
        code,
        machine,
        params['problem'],
      ]);
    assert.deepEqual(problems(serving, serving, null), []);
    assert.deepEqual(
      problems(
        { pid: null, metricsPort: null, problem: 'its process ended', databases: [] },
        { ...serving, databases: [{ uid: 'uid', port: 6379, problem: 'taken' }] },
        { ...serving, databases: [{ uid: 'uid', port: 6400, problem: null }] },
      ),
      [
        ['endpoint_closed', 'machine-1', 'its process ended'],
        ['endpoint_closed', 'machine-2', 'taken'],
        ['endpoint_closed', 'machine-3', 'it does not know of it yet'],
      ],
    );
    const down = withEndpoints({ pid: null, metricsPort: null, problem: 'its process ended', databases: [] });
    const { problems: all } = plan(database, down);
    assert.equal(statusOf(database, down, all, new Map(), new Map()).state, 'ready', 'the nodes serve all the same');
  });
});

describe('users', () => {
  it('are written to every node that has others, in its process or in its file', () => {
    const wanted = { ...database, generation: 2, aclMark: 'mark-2' };
    const next = plan(wanted, view);
    assert.deepEqual([...new Set(next.problems.map(({ code }) => code))], ['users_differ']);
    assert.deepEqual(
      next.steps.map(({ kind }) => kind),
      database.nodes.map(() => 'write_users'),
    );
    const { view: after, stages } = forecast(wanted, view);
    assert.equal(stages.length, 1);
    assert.equal(statusOf(wanted, after, plan(wanted, after).problems, new Map(), new Map()).state, 'ready');
    const [id] = [...view.nodes.keys()];
    const node = view.nodes.get(id!)!;
    const stale = { ...node, disk: { ...node.disk!, aclMark: null } };
    const steps = plan(database, { ...view, nodes: new Map(view.nodes).set(id!, stale) }).steps;
    assert.deepEqual(
      steps.map(({ kind, target }) => [kind, target]),
      [['write_users', id]],
    );
  });

  it('wait for the agent that must write the file', () => {
    const wanted = { ...database, aclMark: 'mark-2' };
    const [id] = [...view.nodes.keys()];
    const node = view.nodes.get(id!)!;
    const away = new Map(view.nodes).set(id!, { ...node, process: { state: 'unknown' }, disk: null });
    const { steps, blocked } = plan(wanted, { ...view, nodes: away });
    assert.equal(steps.length, database.nodes.length - 1);
    assert.match(blocked[0]?.reason ?? '', /must answer before the users of .* change/);
  });
});
