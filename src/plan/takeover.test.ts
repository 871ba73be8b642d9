import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fleet, killed, outOfReach, readyWorld } from '../../test/support/worlds.ts';
import type { Database } from '../domain/database.ts';
import { ValkeeperError } from '../domain/errors.ts';
import type { AnsweringEngine, DatabaseView } from '../domain/view.ts';
import { afterStep } from './effects.ts';
import { endedOverrides, statedOf, withoutOverrides } from './overridden.ts';
import { plan } from './plan.ts';
import { type TakeoverWish, takeoverOf, withOverride } from './takeover.ts';
import { shardTopology } from './topology.ts';

const UNSAID: TakeoverWish = { machineIsOff: false, alsoOff: [], loseAcknowledged: false };
const SAID: TakeoverWish = { ...UNSAID, machineIsOff: true };

const errorOf = (work: () => unknown): ValkeeperError => {
  try {
    work();
  } catch (error) {
    if (error instanceof ValkeeperError) return error;
    throw error;
  }
  return assert.fail('it was not refused');
};

const changed = (view: DatabaseView, id: string, facts: Partial<AnsweringEngine>): DatabaseView => {
  const node = view.nodes.get(id)!;
  assert.equal(node.engine.state, 'answering');
  const engine = { ...(node.engine as AnsweringEngine), ...facts };
  return { ...view, nodes: new Map(view.nodes).set(id, { ...node, engine }) };
};

const away = (view: DatabaseView, ...names: string[]): DatabaseView => ({
  ...view,
  machines: view.machines.map((machine) => (names.includes(machine.name) ? { ...machine, connected: false } : machine)),
});

/** As the observer would see it, with what was said. */
const observed = (database: Database, view: DatabaseView): DatabaseView => ({
  ...view,
  nodes: new Map(
    [...view.nodes].map(([id, node]) => {
      const assignment = database.nodes.find((one) => one.id === id)!;
      const isSilent = node.process.state === 'unknown' && node.engine.state === 'unknown';
      return [id, isSilent ? { ...node, process: statedOf(database, assignment, view) } : node];
    }),
  ),
});

/** Two machines and one shard: the machine of the primary is not heard of. */
function twoMachines(spec: Parameters<typeof readyWorld>[1] = {}) {
  const world = readyWorld(fleet(2), { shards: 1, replicas: 1, ...spec });
  const [primary, replica] = world.database.nodes as [Database['nodes'][0], Database['nodes'][0]];
  return { ...world, primary, replica, lost: away(outOfReach(world.view, primary.id), primary.machine) };
}

describe('a takeover that a person asks for', () => {
  it('states what may be lost and the exact override, unless it was said', () => {
    const { database, lost, primary, replica } = twoMachines();
    const { code, kind, message, hint } = errorOf(() => takeoverOf(database, lost, 'shard-1', UNSAID));
    assert.deepEqual([code, kind], ['takeover_unconfirmed', 'refused']);
    assert.match(
      message,
      /If 01010101 still runs on machine-1 and clients reach it, what it acknowledges from now on is lost\./,
    );
    assert.match(
      message,
      /When machine-1 comes back, the data of 01010101 is replaced by that of 02020202 on machine-2\./,
    );
    assert.match(hint, /`valkeeper shard takeover test shard-1 --machine-is-off`/);
    assert.deepEqual(takeoverOf(database, lost, 'shard-1', SAID), {
      ...{ shard: 'shard-1', from: primary.id, to: replica.id, mode: 'takeover' },
    });
  });

  it('is refused where somebody knows better, or nobody can go on', () => {
    const { database, view, lost, primary, replica } = twoMachines();
    const reason = (seen: DatabaseView, wish: Partial<TakeoverWish> = {}, shard = 'shard-1'): string => {
      const { code, message } = errorOf(() => takeoverOf(database, seen, shard, { ...SAID, ...wish }));
      return `${code} ${message}`;
    };
    assert.match(reason(view), /takeover_refused .*it answers; `valkeeper shard switchover/);
    assert.match(reason(killed(view, primary.id)), /takeover_refused .*the agent of machine-1 answers/);
    assert.match(reason(outOfReach(lost, replica.id)), /takeover_refused .*nobody that answers knows/);
    assert.match(reason(changed(lost, replica.id, { syncInProgress: true })), /takeover_refused .*no copy/);
    assert.match(reason(lost, {}, 'shard-7'), /^shard_not_found/);
    assert.match(reason(lost, { to: 'machine-9' }), /^copy_not_found/);
    assert.match(reason(lost, { to: 'machine-1' }), /takeover_refused .*whose place is to be taken/);
    assert.match(reason(lost, { alsoOff: ['machine-9'] }), /^machine_not_found/);
    assert.match(reason(lost, { alsoOff: ['machine-2'] }), /takeover_refused .*machine-2 is not off/);
  });

  it('needs more to be said where acknowledged writes may be lost', () => {
    const { database, view } = readyWorld(fleet(3), { shards: 1, replicas: 2, durability: 'acknowledged' });
    const [primary, second, third] = database.nodes as [
      Database['nodes'][0],
      Database['nodes'][0],
      Database['nodes'][0],
    ];
    const lost = away(outOfReach(outOfReach(view, primary.id), third.id), primary.machine, third.machine);
    const { code, message, hint } = errorOf(() => takeoverOf(database, lost, 'shard-1', SAID));
    assert.equal(code, 'takeover_unconfirmed');
    assert.match(message, /1 of 2 copies answer, and 2 must/);
    assert.match(hint, /--machine-is-off --lose-acknowledged`/);
    const wish = { ...SAID, loseAcknowledged: true };
    const takeover = takeoverOf(database, lost, 'shard-1', wish);
    assert.equal(takeover.to, second.id);
    const without = withOverride(database, takeover, SAID, 0);
    assert.deepEqual(promotions(without, observed(without, lost)), [], 'the planner looks again');
    const said = withOverride(database, takeover, wish, 0);
    assert.deepEqual(promotions(said, observed(said, lost)), [second.id]);
  });

  it('of a copy that is behind another, or that was started anew, needs more to be said', () => {
    const { database, view } = readyWorld(fleet(3), { shards: 1, replicas: 2 });
    const [primary, second, third] = database.nodes as [
      Database['nodes'][0],
      Database['nodes'][0],
      Database['nodes'][0],
    ];
    const lost = away(outOfReach(view, primary.id), primary.machine);
    const behind = changed(lost, second.id, { offset: 40 });
    const to = second.machine;
    assert.equal(takeoverOf(database, behind, 'shard-1', SAID).to, third.id);
    assert.match(errorOf(() => takeoverOf(database, behind, 'shard-1', { ...SAID, to })).message, /60 bytes behind/);
    assert.equal(takeoverOf(database, behind, 'shard-1', { ...SAID, to, loseAcknowledged: true }).to, second.id);
    const stale = changed(lost, second.id, { streamedBytes: 0 });
    assert.match(errorOf(() => takeoverOf(database, stale, 'shard-1', { ...SAID, to })).message, /started anew/);
  });

  it('names other machines whose primaries are not heard of either, where no vote is possible', () => {
    const { database, view } = readyWorld(fleet(3), { shards: 3, replicas: 1 });
    const primaryOf = (shard: string) => shardTopology(database, view, shard).owner!.assignment;
    const [one, two] = [primaryOf('shard-1'), primaryOf('shard-2')];
    const copy = database.nodes.find((node) => node.shard === 'shard-1' && node.id !== one.id)!;
    // Lost is every machine but that of the copy.
    const machines = ['machine-1', 'machine-2', 'machine-3'].filter((name) => name !== copy.machine);
    let lost = away(view, ...machines);
    for (const node of database.nodes) if (machines.includes(node.machine)) lost = outOfReach(lost, node.id);
    const other = machines.find((name) => name !== one.machine)!;
    assert.ok(machines.includes(two.machine) || copy.machine === two.machine);
    const { message, hint } = errorOf(() => takeoverOf(database, lost, 'shard-1', SAID));
    assert.match(message, new RegExp(`${other} is not heard of either, and must be off, too`));
    assert.match(hint, new RegExp(`--machine-is-off --also-off ${other}`));
    assert.equal(takeoverOf(database, lost, 'shard-1', { ...SAID, alsoOff: [other] }).mode, 'takeover');
  });
});

const promotions = (database: Database, view: DatabaseView): string[] =>
  plan(database, view).steps.flatMap((step) => (step.kind === 'promote' ? [step.target] : []));

describe('what was said', () => {
  const { database, view, lost, primary, replica } = twoMachines();
  const said = withOverride(database, takeoverOf(database, lost, 'shard-1', SAID), SAID, 0);

  it('is evidence for the planner, for a minute', () => {
    assert.deepEqual(promotions(database, lost), []);
    assert.deepEqual(promotions(said, observed(said, lost)), [replica.id]);
    const later = { ...lost, at: 60_000 };
    assert.deepEqual(promotions(said, observed(said, later)), []);
    const [ended] = endedOverrides(said, observed(said, later));
    assert.deepEqual(ended, { node: primary.id, shard: 'shard-1', isGivenUp: true });
    assert.deepEqual(withoutOverrides(said, [ended!], said), database);
    const anew = withOverride(
      database,
      { shard: 'shard-1', from: primary.id, to: replica.id, mode: 'takeover' },
      SAID,
      9,
    );
    assert.equal(withoutOverrides(anew, [ended!], said).overridden[primary.id]!.at, 9, 'what was said later stays');
  });

  it('is nothing when the primary is heard of again before anybody took its place', () => {
    assert.deepEqual(endedOverrides(said, view), [{ node: primary.id, shard: 'shard-1', isGivenUp: true }]);
    assert.deepEqual(endedOverrides(said, observed(said, lost)), []);
    // Whoever took its place may be the one that does not answer.
    assert.deepEqual(endedOverrides(said, outOfReach(view, replica.id)), []);
  });

  /** The replica has taken over; the old primary is not heard of. */
  const [promote] = plan(said, observed(said, lost)).steps;
  const taken = afterStep(said, observed(said, lost), promote!);

  it('lets the others forget the old primary, and nothing be done on its machine', () => {
    const knowing = changed(taken, replica.id, { peers: [{ ...peerOf(view, replica.id, primary.id), slots: [] }] });
    const { problems, steps } = plan(said, knowing);
    assert.ok(problems.some(({ code, node }) => code === 'node_overridden' && node === primary.id));
    assert.deepEqual(
      steps.map(({ kind, target, args }) => ({ kind, target, args })),
      [{ kind: 'forget', target: replica.id, args: { strangers: [primary.id] } }],
    );
    assert.deepEqual(endedOverrides(said, knowing), []);
  });

  it('ends the old primary when it comes back, whatever its epoch, and starts it fenced', () => {
    for (const configEpoch of [1, 99]) {
      const old = view.nodes.get(primary.id)!;
      const both = { ...taken, nodes: new Map(taken.nodes).set(primary.id, old) };
      const back = changed(both, primary.id, { configEpoch });
      assert.equal(shardTopology(said, back, 'shard-1').owner?.assignment.id, replica.id);
      assert.deepEqual(
        plan(said, back)
          .steps.filter(({ kind }) => kind !== 'forget')
          .map(({ kind, target }) => [kind, target]),
        [['stop_node', primary.id]],
      );
      const dead = killed(back, primary.id);
      const [start] = plan(said, dead).steps.filter(({ kind }) => kind === 'start_node');
      assert.equal(start?.kind === 'start_node' && start.args.replicaOf?.id, replica.id);
      const fenced = afterStep(said, dead, start!);
      assert.deepEqual(endedOverrides(said, fenced), [{ node: primary.id, shard: 'shard-1', isGivenUp: false }]);
    }
  });

  it('is not forgotten while the successor is away: the old primary is not started as itself', () => {
    const log = withOverride(
      readyWorld(fleet(2), { shards: 1, persistence: 'aof-always' }).database,
      promoted,
      SAID,
      0,
    );
    const { view: seen } = readyWorld(fleet(2), { shards: 1, persistence: 'aof-always' });
    const alone = outOfReach(killed(seen, primary.id), replica.id);
    assert.deepEqual(endedOverrides(log, alone), []);
    assert.deepEqual(
      plan(log, alone).steps.filter(({ kind }) => kind === 'start_node'),
      [],
    );
    assert.equal(
      plan({ ...log, overridden: {}, reshard: null }, alone).steps.filter(({ kind }) => kind === 'start_node').length,
      1,
    );
  });
  const promoted = { shard: 'shard-1', from: primary.id, to: replica.id, mode: 'takeover' } as const;
});

function peerOf(view: DatabaseView, node: string, peer: string) {
  const { engine } = view.nodes.get(node)!;
  return (engine as AnsweringEngine).peers.find(({ id }) => id === peer)!;
}
