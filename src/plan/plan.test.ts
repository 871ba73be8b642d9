import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { databaseOn, emptyView, fleet, killed, outOfReach, readyWorld } from '../../test/support/worlds.ts';
import { type Database, type NodeAssignment, shardNames } from '../domain/database.ts';
import { countSlots, SLOT_COUNT } from '../domain/slots.ts';
import { type DatabaseSpec, EVICTION_POLICIES, PERSISTENCE_MODES } from '../domain/spec.ts';
import { answering, type DatabaseView, type Settings } from '../domain/view.ts';
import { afterStep } from './effects.ts';
import { forecast } from './forecast.ts';
import { plan } from './plan.ts';
import { wantedSettings } from './settings.ts';
import { statusOf } from './status.ts';
import type { Step } from './step.ts';
import { shardTopology } from './topology.ts';

const stateOf = (database: Database, view: DatabaseView): string =>
  statusOf(database, view, plan(database, view).problems, new Map(), new Map()).state;

const kinds = (steps: readonly Step[]): string[] => [...new Set(steps.map(({ kind }) => kind))];

const shapes = fc.record({
  machines: fc.integer({ min: 2, max: 6 }),
  shards: fc.integer({ min: 1, max: 8 }),
  replicas: fc.integer({ min: 0, max: 2 }),
  persistence: fc.constantFrom(...PERSISTENCE_MODES),
});

/** A shape that fits its fleet. */
const wishes = shapes.map(({ machines, ...wish }) => ({
  machines: fleet(machines),
  wish: { ...wish, replicas: Math.min(wish.replicas, machines - 1) },
}));

/** A ready database in which some nodes die and some go out of reach. */
const hurtWorlds = (reachable: boolean) =>
  fc
    .tuple(wishes, fc.array(fc.tuple(fc.nat(), reachable ? fc.constant(false) : fc.boolean()), { maxLength: 6 }))
    .map(([{ machines, wish }, harms]) => {
      const { database, view } = readyWorld(machines, wish);
      let hurt: DatabaseView = view;
      for (const [which, lost] of harms) {
        const { id } = database.nodes[which % database.nodes.length]!;
        hurt = lost ? outOfReach(hurt, id) : killed(hurt, id);
      }
      return { database, view: hurt };
    });

/** Shards of which at least one copy, in memory or on a disk that is read at start, has data. */
const shardsWithData = (database: Database, view: DatabaseView): string[] =>
  shardNames(database).filter((name) =>
    shardTopology(database, view, name).members.some(
      ({ view: node, engine }) => (engine?.keys ?? 0) > 0 || (!engine && node.disk?.hasData === true),
    ),
  );

const ownedSlots = (database: Database, view: DatabaseView): number =>
  countSlots(
    database.nodes.flatMap(({ id }) => {
      const engine = answering(view.nodes.get(id));
      return engine?.role === 'primary' ? engine.slots : [];
    }),
  );

describe('plan', () => {
  it('creates, lets primaries take their slots, introduces, attaches, and then has nothing left to do', () => {
    const machines = fleet(3);
    const database = databaseOn(machines);
    const { stages, view } = forecast(database, emptyView(database, machines));
    assert.deepEqual(
      stages.map(({ steps }) => kinds(steps)),
      [['create_node'], ['claim_slots', 'meet'], ['meet'], ['replicate']],
    );
    assert.equal(stateOf(database, view), 'ready');
  });

  it('replaces a dead primary by the vote of the others, then starts it fenced', () => {
    const { database, view } = readyWorld(fleet(3));
    const dead = database.nodes.find(({ birth }) => birth.role === 'primary')!;
    const { stages } = forecast(database, killed(view, dead.id));
    const [first, second] = stages;
    assert.equal(first?.steps[0]?.kind, 'promote');
    assert.deepEqual(first.steps[0].args, { insteadOf: dead.id, mode: 'force' });
    assert.equal(second?.steps[0]?.kind, 'start_node');
    assert.equal(second.steps[0].args.replicaOf?.id, first.steps[0].target);
    assert.deepEqual(second.steps[0].args.replicaOf?.slots, dead.birth.role === 'primary' ? dead.birth.slots : []);
  });

  it('promotes the replica with the highest offset', () => {
    const { database, view } = readyWorld(fleet(3), { replicas: 2 });
    const dead = database.nodes.find(({ birth }) => birth.role === 'primary')!;
    const hurt = killed(view, dead.id);
    const ahead = database.nodes.filter(({ shard, id }) => shard === dead.shard && id !== dead.id).at(-1)!;
    const node = hurt.nodes.get(ahead.id)!;
    assert.ok(node.engine.state === 'answering');
    const nodes = new Map(hurt.nodes).set(ahead.id, { ...node, engine: { ...node.engine, offset: 1000 } });
    assert.equal(plan(database, { ...hurt, nodes }).steps[0]?.target, ahead.id);
  });

  it('takes over without a vote when one or two shards leave no majority', () => {
    for (const shards of [1, 2]) {
      const { database, view } = readyWorld(fleet(3), { shards });
      const dead = database.nodes.find(({ birth }) => birth.role === 'primary')!;
      const [step] = plan(database, killed(view, dead.id)).steps;
      assert.equal(step?.kind, 'promote');
      assert.equal(step.args.mode, 'takeover');
    }
  });

  it('does not take over while another primary is only out of reach', () => {
    const { database, view } = readyWorld(fleet(3));
    const [first, second] = database.nodes.filter(({ birth }) => birth.role === 'primary');
    const { steps, blocked } = plan(database, outOfReach(killed(view, first!.id), second!.id));
    assert.deepEqual(
      steps.filter(({ kind }) => kind === 'promote'),
      [],
    );
    assert.match(blocked[0]!.reason, /not known to be dead/);
  });

  it('does nothing to a primary that is only out of reach', () => {
    const { database, view } = readyWorld(fleet(3));
    const { steps, problems } = plan(database, outOfReach(view, database.nodes[0]!.id));
    assert.deepEqual(steps, []);
    assert.equal(problems[0]?.code, 'primary_unreachable');
  });

  it('does not start a primary empty while a copy that cannot be promoted yet may hold its data', () => {
    const { database, view } = readyWorld(fleet(3), { persistence: 'none' });
    const dead = database.nodes.find(({ birth }) => birth.role === 'primary')!;
    const copy = database.nodes.find(({ shard, id }) => shard === dead.shard && id !== dead.id)!;
    const hurt = killed(view, dead.id);
    const node = hurt.nodes.get(copy.id)!;
    assert.ok(node.engine.state === 'answering');
    const nodes = new Map(hurt.nodes).set(copy.id, { ...node, engine: { ...node.engine, syncInProgress: true } });
    const { steps, blocked } = plan(database, { ...hurt, nodes });
    assert.deepEqual(steps, []);
    assert.match(blocked[0]!.reason, /start empty/);
    const lost = plan(database, outOfReach(hurt, copy.id));
    assert.deepEqual(lost.steps, []);
    assert.match(lost.blocked[0]!.reason, /start empty/);
  });

  it('does not start a primary with an old snapshot while a copy out of reach may hold what was written since', () => {
    const { database, view } = readyWorld(fleet(3), { persistence: 'snapshot' });
    const dead = database.nodes.find(({ birth }) => birth.role === 'primary')!;
    const copy = database.nodes.find(({ shard, id }) => shard === dead.shard && id !== dead.id)!;
    const { steps, blocked } = plan(database, outOfReach(killed(view, dead.id), copy.id));
    assert.deepEqual(steps, []);
    assert.match(blocked[0]!.reason, /an older state/);
    const logged = readyWorld(fleet(3), { persistence: 'aof' });
    const [step] = plan(logged.database, outOfReach(killed(logged.view, dead.id), copy.id)).steps;
    assert.deepEqual([step?.kind, step?.target], ['start_node', dead.id]);
  });

  it('starts a shard from the copy that has data when the owner has lost its disk', () => {
    const { database, view } = readyWorld(fleet(3));
    const owner = database.nodes.find(({ birth }) => birth.role === 'primary')!;
    const copy = database.nodes.find(({ shard, id }) => shard === owner.shard && id !== owner.id)!;
    const down = killed(killed(view, owner.id), copy.id);
    const node = down.nodes.get(owner.id)!;
    const nodes = new Map(down.nodes).set(owner.id, { ...node, disk: { ...node.disk!, hasData: false } });
    const [step] = plan(database, { ...down, nodes }).steps;
    assert.deepEqual([step?.kind, step?.target], ['start_node', copy.id]);
  });

  it('starts a dead copy that has data before a dead primary that has none, though another copy runs empty', () => {
    const { database, view } = readyWorld(fleet(3), { replicas: 2, persistence: 'snapshot' });
    const owner = database.nodes.find(({ birth }) => birth.role === 'primary')!;
    const [empty, full] = database.nodes.filter(({ shard, id }) => shard === owner.shard && id !== owner.id);
    const down = killed(killed(view, owner.id), full!.id);
    const nodes = new Map(down.nodes);
    nodes.set(owner.id, { ...nodes.get(owner.id)!, disk: { ...nodes.get(owner.id)!.disk!, hasData: false } });
    const node = nodes.get(empty!.id)!;
    assert.ok(node.engine.state === 'answering');
    nodes.set(empty!.id, { ...node, engine: { ...node.engine, keys: 0, offset: 1, streamedBytes: 0 } });
    const { stages } = forecast(database, { ...down, nodes });
    assert.deepEqual(
      stages.slice(0, 2).map(({ steps }) => steps.map(({ kind, target }) => [kind, target])),
      [[['start_node', full!.id]], [['promote', full!.id]]],
    );
  });

  it('moves a primary off a machine that holds a majority, but only when all is well', () => {
    const { database, view } = readyWorld(fleet(3));
    const dead = database.nodes.find(({ birth }) => birth.role === 'primary')!;
    const { stages } = forecast(database, killed(view, dead.id));
    assert.deepEqual(kinds(stages.at(-1)!.steps), ['switch_over']);
    assert.ok(stages.slice(0, -1).every(({ steps }) => !kinds(steps).includes('switch_over')));
  });

  it('removes every node and then the record of an unwanted database, but waits for agents that are away', () => {
    const { database, view } = readyWorld(fleet(3));
    const unwanted = { ...database, deleting: true };
    assert.deepEqual(
      forecast(unwanted, view).stages.map(({ steps }) => kinds(steps)),
      [['remove_node'], ['delete_record']],
    );
    const away = plan(unwanted, outOfReach(view, database.nodes[0]!.id));
    assert.equal(away.blocked.length, 1);
    assert.ok(!kinds(away.steps).includes('delete_record'));
  });

  it('is deterministic, and plans nothing for a quiet world', () => {
    fc.assert(
      fc.property(wishes, ({ machines, wish }) => {
        const { database, view } = readyWorld(machines, wish);
        assert.deepEqual(plan(database, view), plan(structuredClone(database), structuredClone(view)));
        const steps = plan(database, view).steps;
        assert.deepEqual(steps, [], JSON.stringify(steps));
        assert.equal(stateOf(database, view), 'ready');
        assert.equal(ownedSlots(database, view), SLOT_COUNT);
      }),
    );
  });

  it('converges from any prefix of its steps, slots always partitioned at the end', () => {
    fc.assert(
      fc.property(wishes, fc.infiniteStream(fc.boolean()), ({ machines, wish }, chance) => {
        const database = databaseOn(machines, wish);
        let view = emptyView(database, machines);
        for (let pass = 0; pass < 10; pass += 1) {
          for (const step of plan(database, view).steps) {
            if (chance.next().value) view = afterStep(database, view, step);
            assert.ok(ownedSlots(database, view) <= SLOT_COUNT);
          }
        }
        const end = forecast(database, view).view;
        assert.equal(stateOf(database, end), 'ready');
        assert.equal(ownedSlots(database, end), SLOT_COUNT);
      }),
    );
  });

  it('heals everything that is known to be dead, in any order and from any prefix', () => {
    fc.assert(
      fc.property(hurtWorlds(true), fc.infiniteStream(fc.boolean()), ({ database, view: start }, chance) => {
        let view = start;
        for (let pass = 0; pass < 5; pass += 1) {
          for (const step of plan(database, view).steps) {
            if (chance.next().value) view = afterStep(database, view, step);
          }
        }
        const end = forecast(database, view).view;
        assert.equal(stateOf(database, end), 'ready');
        assert.equal(ownedSlots(database, end), SLOT_COUNT);
      }),
    );
  });

  const changes = fc.record({
    memoryBytes: fc.integer({ min: 64, max: 4096 }).map((mib) => mib * 1024 ** 2),
    persistence: fc.constantFrom(...PERSISTENCE_MODES),
    eviction: fc.constantFrom(...EVICTION_POLICIES),
  });

  /** A log is left in valkey.conf first, everything else is changed in the process first. */
  function expectedStages(before: DatabaseSpec, after: DatabaseSpec): string[][] {
    const [was, is] = [wantedSettings(before), wantedSettings(after)];
    const leavesLog = was['appendonly'] === 'yes' && is['appendonly'] === 'no';
    const others = Object.keys(is).some((name) => name !== 'appendonly' && is[name] !== was[name]);
    return [...(others || !leavesLog ? [['configure']] : []), ['write_config'], ...(leavesLog ? [['configure']] : [])];
  }

  it('brings changed settings to every node that runs, process first, and then has nothing left to do', () => {
    fc.assert(
      fc.property(wishes, changes, ({ machines, wish }, change) => {
        const { database, view } = readyWorld(machines, wish);
        const changed = { ...database, generation: 2, spec: { ...database.spec, ...change } };
        const same = JSON.stringify(wantedSettings(changed.spec)) === JSON.stringify(wantedSettings(database.spec));
        assert.equal(stateOf(changed, view), same ? 'ready' : 'updating');
        const { stages, blocked, view: end } = forecast(changed, view);
        assert.deepEqual(
          stages.map(({ steps }) => kinds(steps)),
          same ? [] : expectedStages(database.spec, changed.spec),
        );
        assert.deepEqual(blocked, []);
        assert.equal(stateOf(changed, end), 'ready');
        for (const node of end.nodes.values()) {
          assert.ok(node.engine.state === 'answering');
          for (const [name, value] of Object.entries(wantedSettings(changed.spec))) {
            assert.deepEqual([node.engine.settings[name], node.disk?.settings?.[name]], [value, value]);
          }
        }
      }),
    );
  });

  it('brings changed settings also to a node that was dead when they changed', () => {
    const { database, view } = readyWorld(fleet(3));
    const changed = { ...database, generation: 2, spec: { ...database.spec, memoryBytes: 512 * 1024 ** 2 } };
    const dead = database.nodes[0]!.id;
    const { stages, view: end } = forecast(changed, killed(view, dead));
    const touching = stages.flatMap(({ steps }) => steps).filter(({ target }) => target === dead);
    assert.deepEqual(kinds(touching).slice(0, 3), ['start_node', 'configure', 'write_config']);
    assert.equal(stateOf(changed, end), 'ready');
  });

  it('starts a copy with a log written since before an owner that has only an older snapshot', () => {
    const { database, view } = readyWorld(fleet(3), { shards: 1, replicas: 1, persistence: 'aof' });
    const [owner, copy] = database.nodes as [NodeAssignment, NodeAssignment];
    const down = killed(killed(view, owner.id), copy.id);
    const start = (ownerAt: number, copyAt: number): string[] => {
      const nodes = new Map(down.nodes);
      const put = (id: string, dataAt: number, change: Settings): void => {
        const node = nodes.get(id)!;
        const settings = { ...node.disk!.settings, ...change };
        nodes.set(id, { ...node, disk: { ...node.disk!, dataAt, settings } });
      };
      put(owner.id, ownerAt, { appendonly: 'no', save: '3600 1' });
      put(copy.id, copyAt, {});
      return plan(database, { ...down, nodes }).steps.map(({ kind, target }) => `${kind} ${target}`);
    };
    assert.deepEqual(start(1_000, 2_000), [`start_node ${copy.id}`]);
    assert.deepEqual(start(2_000, 1_000), [`start_node ${owner.id}`, `start_node ${copy.id}`]);
  });

  it('takes over without a vote when those who answer have never met the dead primary', () => {
    const { database, view } = readyWorld(fleet(3), { shards: 3, replicas: 1 });
    const dead = database.nodes[0]!;
    const hurt = killed(view, dead.id);
    const nodes = new Map(
      [...hurt.nodes].map(([id, node]) => {
        const engine = answering(node);
        if (engine?.role !== 'primary') return [id, node];
        return [id, { ...node, engine: { ...engine, peers: engine.peers.filter((peer) => peer.id !== dead.id) } }];
      }),
    );
    const modeIn = (world: DatabaseView): unknown => {
      const step = plan(database, world).steps.find(({ kind }) => kind === 'promote');
      return step?.kind === 'promote' ? step.args.mode : null;
    };
    assert.equal(modeIn(hurt), 'force');
    assert.equal(modeIn({ ...hurt, nodes }), 'takeover');
  });

  it('lets no start rely on an append-only file, or on a snapshot, that is not complete', () => {
    for (const [persistence, facts, reason] of [
      ['aof', { logComplete: false }, /append-only file .* not complete/],
      ['snapshot', { saving: true }, /snapshot .* not complete/],
    ] as const) {
      const start = readyWorld(fleet(3), { persistence: persistence === 'aof' ? 'none' : 'aof' });
      const changed = { ...start.database, spec: { ...start.database.spec, persistence } };
      let live: DatabaseView = start.view;
      for (const step of plan(changed, live).steps) live = afterStep(changed, live, step);
      const nodes = new Map(
        [...live.nodes].map(([id, node]) => {
          assert.ok(node.engine.state === 'answering');
          return [id, { ...node, engine: { ...node.engine, ...facts } }];
        }),
      );
      const { steps, blocked } = plan(changed, { ...live, nodes });
      assert.deepEqual(steps, []);
      assert.match(blocked[0]!.reason, reason);
    }
  });

  it('never drops the last copy of a shard, whatever is dead or out of reach', () => {
    fc.assert(
      fc.property(hurtWorlds(false), ({ database, view: start }) => {
        let view = start;
        const before = shardsWithData(database, view);
        for (let pass = 0; pass < 8; pass += 1) {
          for (const step of plan(database, view).steps) {
            view = afterStep(database, view, step);
            const after = shardsWithData(database, view);
            assert.deepEqual(
              before.filter((name) => !after.includes(name)),
              [],
              `lost by ${step.kind} of ${step.target}`,
            );
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});
