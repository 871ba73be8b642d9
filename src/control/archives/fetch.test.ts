/** Chains as they grow with a log, and where another one begins: a log in memory, and a real folder as the place. */
import assert from 'node:assert/strict';
import { it, type TestContext } from 'node:test';
import { AppendLog } from '../../../test/support/append-log.ts';
import { tempDir } from '../../../test/support/temp-dir.ts';
import type { NodeAssignment } from '../../domain/database.ts';
import type { ValkeeperError } from '../../domain/errors.ts';
import { systemClock } from '../../platform/clock.ts';
import { Rate } from '../backups/rate.ts';
import { type FetchSurroundings, fetchLog, finishChain, listLog } from './fetch.ts';
import { Shelf, type ShelvedChain } from './shelf.ts';

const NODE = { id: 'a'.repeat(40), machine: 'machine-1', shard: 'shard-1' } as NodeAssignment;
const OTHER = { ...NODE, id: 'b'.repeat(40) };

async function scene(t: TestContext) {
  const log = new AppendLog();
  const place = tempDir(t);
  const shelf = await Shelf.open(place, { name: 'main', uid: 'uid' }, []);
  const rate = new Rate(1e12, systemClock);
  const around: FetchSurroundings = { agents: log, shelf, rate, signal: new AbortController().signal };
  let chains: ShelvedChain[] = [];
  const put = (chain: ShelvedChain): void => {
    chains = [chain, ...chains.filter(({ id }) => id !== chain.id)].sort((a, b) => b.ownedFrom - a.ownedFrom);
  };
  const sourceOf = async (more: { node?: NodeAssignment; history?: string; isOwner?: boolean } = {}) => {
    const { node = NODE, history = 'history-1', isOwner = true } = more;
    const listing = await listLog(log, node, chains);
    return { shard: 'shard-1', node, history, dataBytes: 77, listing, isOwner };
  };
  /** One look, some seconds later. @returns whether a chain was begun */
  const look = async (more: Parameters<typeof sourceOf>[0] = {}): Promise<boolean> => {
    log.now += 10;
    const beginning = await fetchLog(around, await sourceOf(more), chains, put);
    if (beginning) put(await beginning.run());
    return beginning !== null;
  };
  const textOf = async (chain: ShelvedChain): Promise<string> => {
    const parts: Buffer[] = [];
    for await (const part of shelf.log(chain)) parts.push(part);
    return Buffer.concat(parts).toString();
  };
  const readAgain = async (): Promise<void> => {
    chains = [...(await shelf.read()).chains].sort((a, b) => b.ownedFrom - a.ownedFrom);
  };
  return { log, shelf, around, look, textOf, readAgain, put, sourceOf, chains: () => chains };
}

it('goes on where it was, also for who reads it anew', async (t) => {
  const { log, look, textOf, readAgain, chains } = await scene(t);
  log.write('one ');
  assert.equal(await look(), true);
  log.write('two '.repeat(1_000));
  assert.equal(await look(), false);
  assert.equal(await look(), false, 'nothing new: only how far it reaches');
  await readAgain();
  log.write('three');
  assert.equal(await look(), false);
  const [chain, ...others] = chains();
  assert.deepEqual(others, []);
  assert.equal(await textOf(chain!), `one ${'two '.repeat(1_000)}three`);
  assert.equal(chain!.baseAt, 1_000_000_000 - 100);
  assert.equal(chain!.until, log.now - 4, 'what was answered a moment ago may not be there');
  assert.equal(chain!.pieces.filter(({ bytes }) => bytes === 0).length, 0, 'a word of how far it reaches is said once');
});

it('leaves nothing out where a log is written anew', async (t) => {
  const { log, look, textOf, chains } = await scene(t);
  log.write('one ');
  await look();
  log.write('two ');
  log.rewrite();
  log.write('three ');
  assert.equal(await look(), true);
  const [newer, older] = chains();
  assert.deepEqual([await textOf(older!), await textOf(newer!)], ['one two three ', 'three ']);
  assert.ok(older!.until >= newer!.baseAt, 'they touch');
  log.write('four');
  await look();
  const [first, second] = chains();
  assert.deepEqual(
    [await textOf(second!), await textOf(first!)],
    ['one two three ', 'three four'],
    'the old one is over',
  );
  assert.deepEqual(log.asked, [Number.MAX_SAFE_INTEGER, 1, 2], 'what was fetched is let go');
});

it('goes on with the old chain until it reaches the new one', async (t) => {
  const { log, look, textOf, chains } = await scene(t);
  await look();
  log.now += 9;
  log.rewrite();
  log.now -= 9; // it was written anew a second before the look
  log.write('a');
  await look();
  assert.ok(chains()[1]!.until < chains()[0]!.baseAt);
  log.write('b');
  await look();
  const [newer, older] = chains();
  assert.ok(older!.until >= newer!.baseAt);
  assert.deepEqual([await textOf(older!), await textOf(newer!)], ['ab', 'ab']);
});

it('begins anew with another process, another history, another node, and a log that is shorter', async (t) => {
  const { log, look, chains } = await scene(t);
  log.write('one');
  assert.equal(await look(), true);
  log.life = 'life-2';
  assert.equal(await look(), true);
  assert.equal(await look({ history: 'history-2' }), true);
  assert.equal(await look({ history: 'history-2', node: OTHER }), true);
  log.files.set(1, Buffer.from('on'));
  assert.equal(await look({ history: 'history-2', node: OTHER }), true);
  assert.equal(await look({ history: 'history-2', node: OTHER }), false);
  assert.equal(chains().length, 5);
});

it('claims nothing of a node that was the primary no longer', async (t) => {
  const { log, look, textOf, chains } = await scene(t);
  await look();
  const { until } = chains()[0]!;
  log.write('more');
  await look({ isOwner: false });
  assert.equal(chains()[0]!.until, until);
  assert.equal(await textOf(chains()[0]!), 'more', 'and has it all the same');
});

it('reads the rest of a former primary, as long as it writes the same file', async (t) => {
  const { log, look, around, put, sourceOf, textOf, chains } = await scene(t);
  log.write('one ');
  await look();
  log.write('two');
  log.now += 10;
  await finishChain(around, await sourceOf({ history: 'of its successor' }), chains()[0]!, put);
  assert.deepEqual([await textOf(chains()[0]!), chains()[0]!.until], ['one two', log.now - 4]);
  log.rewrite();
  log.write('of a copy of its successor');
  await finishChain(around, await sourceOf({ history: 'of its successor' }), chains()[0]!, put);
  assert.equal(await textOf(chains()[0]!), 'one two');
});

it('refuses a log without a base, and leaves no chain behind where reading it fails', async (t) => {
  const { log, look, readAgain, chains } = await scene(t);
  log.base = { seq: 1, data: Buffer.from('no RDB') };
  const unusable = ({ code, message }: ValkeeperError): boolean =>
    code === 'append_log_unusable' && /does not tell of which moment/.test(message);
  await assert.rejects(look(), unusable);
  await readAgain();
  assert.deepEqual(chains(), []);
});
