/** The budget of faults, what a fault may hit, and that a seed says the same for ever. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Budget } from './budget.ts';
import { FAULT_NAMES, INSTANT } from './faults/names.ts';
import { candidates } from './faults/target.ts';
import type { Copy, Picture } from './picture.ts';
import { roundOf, scenarioOf } from './scenario.ts';

const copy = (nodeId: string, machine: string, role: Copy['role'], database = 'd'): Copy => ({
  ...{ database, shard: 's', nodeId, machine, role },
});
const [p, r, q] = [copy('p', 'm1', 'primary'), copy('r', 'm2', 'replica'), copy('q', 'm3', 'replica')];
const picture: Picture = {
  machines: ['m1', 'm2', 'm3', 'm4', 'm5'],
  copies: [p, r, q],
  limits: new Map([['d', 1]]),
  wobbly: 'm4',
};
const hit = (copies: Copy[], machines: string[] = []) => ({
  ...{ copies, machines },
  things: [...machines, ...copies.map(({ nodeId }) => nodeId)],
});

describe('the budget', () => {
  it('lets one copy of a shard be hit, and the next when the shard was seen whole some time after', () => {
    const budget = new Budget();
    const fault = {};
    assert.equal(budget.refusal(hit([p]), picture), null);
    budget.begin(fault, hit([p]));
    assert.match(budget.refusal(hit([r]), picture)!, /2 copies of d\/s/);
    assert.equal(budget.quiet, false);
    budget.whole('d/s', 5_000);
    assert.match(budget.refusal(hit([r]), picture)!, /2 copies/, 'it is not over');
    budget.end(fault, 10_000);
    assert.equal(budget.quiet, false);
    budget.whole('d/s', 11_000);
    assert.match(budget.refusal(hit([r]), picture)!, /2 copies/, 'what is seen now may be old');
    budget.whole('d/s', 14_000);
    assert.equal(budget.quiet, true);
    assert.equal(budget.refusal(hit([r]), picture), null);
  });
  it('counts what is hit at once, and what is allowed', () => {
    assert.match(new Budget().refusal(hit([p, r]), picture)!, /2 copies/);
    const two = { ...picture, limits: new Map([['d', 2]]) };
    assert.equal(new Budget().refusal(hit([p, r]), two), null);
    assert.match(new Budget().refusal(hit([p, r, q]), two)!, /3 copies/);
  });
  it('hits nothing twice at a time', () => {
    const budget = new Budget();
    budget.begin({}, hit([p]));
    assert.match(budget.refusal(hit([p]), picture)!, /p is hit already/);
  });
  it('hurts a minority of machines at most', () => {
    const budget = new Budget();
    budget.begin({}, hit([], ['m1']));
    assert.equal(budget.refusal(hit([], ['m2']), picture), null);
    const second = {};
    budget.begin(second, hit([], ['m2']));
    assert.match(budget.refusal(hit([], ['m3']), picture)!, /3 machines/);
    assert.equal(budget.refusal(hit([q]), picture), null, 'a node alone is no machine');
    budget.end(second, 0);
    assert.equal(budget.refusal(hit([], ['m3']), picture), null);
  });
});

describe('what a fault may hit', () => {
  it('is something, for every fault', () => {
    for (const name of FAULT_NAMES) assert.notEqual(candidates(name, picture).length, 0, name);
  });
  it('tells what is touched', () => {
    assert.deepEqual(candidates('kill-primary', picture)[0]!.hit, hit([p]));
    assert.deepEqual(candidates('lose-power', picture)[1]!.hit, { things: ['m2'], machines: ['m2'], copies: [r] });
    assert.deepEqual(candidates('kill-agent', picture)[1]!.hit.copies, []);
    assert.deepEqual(
      candidates('step-clock', picture).map(({ machine }) => machine),
      ['m4'],
    );
    assert.equal(candidates('cut-pair', picture).length, 10);
    assert.deepEqual(candidates('cut-log', picture)[0]!.hit.machines, ['m2']);
  });
});

describe('a seed', () => {
  it('says the same for ever, and another something else', () => {
    const all = (seed: number) => JSON.stringify([scenarioOf(seed, true), roundOf(seed, 3, FAULT_NAMES, 30_000)]);
    assert.equal(all(7), all(7));
    assert.notEqual(all(7), all(8));
  });
  it('makes every kind of fleet, and faults within the time of trouble', () => {
    const scenarios = Array.from({ length: 100 }, (_, seed) => scenarioOf(seed, true));
    assert.deepEqual([...new Set(scenarios.map(({ machines }) => machines.length))].sort(), [3, 4, 5]);
    const strict = scenarios.map(({ databases }) => databases[1]!);
    assert.deepEqual([...new Set(strict.map(({ shards }) => shards))].sort(), [1, 2, 3]);
    assert.ok(strict.every(({ acknowledgements, replicas }) => acknowledgements >= 1 && acknowledgements <= replicas));
    for (const seed of scenarios.keys()) {
      const { faults, style } = roundOf(seed, 1, FAULT_NAMES, 30_000);
      assert.ok(faults.length > 0);
      for (const [index, { name, atMs, forMs }] of faults.entries()) {
        assert.ok(atMs + forMs <= 30_000 && forMs > 0 === !INSTANT.has(name));
        const next = faults[index + 1];
        if (style === 'alone' && next) assert.ok(next.atMs > atMs + forMs);
      }
    }
  });
});
