/** What a process is about that gives no sign of life, and what its agent does: with real processes. */
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { PulseState } from '../../src/domain/view.ts';
import type { IfEnded } from '../../src/plan/pulse.ts';
import type { NodeReport } from '../../src/protocol/agent-messages.ts';
import { agentScene } from '../support/agent-scene.ts';

/** Until a question that was answered is followed by one that is not, at the latest. */
const QUESTION_MS = 600;
/** Longer than what would end a process that was stopped or hung. */
const BEYOND_MS = 4_500;

/** An agent with one node that answers. */
async function oneNode(t: TestContext, ifEnded: IfEnded) {
  const scene = await agentScene(t);
  const { child, session } = await scene.agent({ ifEnded });
  const plain = scene.nodeConfig(0);
  const directives = [...plain.directives, ['enable-debug-command', 'local']] as const;
  const { pid } = await session.request('create_node', { ...plain, directives });
  const line = scene.connect(plain.port);
  await line.command('CLUSTER', 'ADDSLOTSRANGE', 0, 16383);
  await pause(QUESTION_MS);
  const report = (): NodeReport => session.nodes.get(plain.id)!;
  /** Sends a signal, and takes a stop back at the end whatever happens. */
  const signal = (to: number, name: 'SIGSTOP' | 'SIGCONT'): void => {
    process.kill(to, name);
    if (name === 'SIGSTOP') scene.onClear(() => signalIfThere(to));
  };
  return {
    ...{ agentPid: child.process.pid!, pid, line, otherLine: scene.connect(plain.port), report, signal },
    tells: (state: PulseState) => session.until(`${state} to be told`, () => report().pulse?.state === state),
    isEnded: () => session.until('its end', () => report().process.state === 'exited'),
    /** Nothing was done to it, and it answers. */
    assertWell: async (): Promise<void> => {
      assert.equal(await line.command('PING'), 'PONG');
      assert.deepEqual(report().process, { state: 'running', pid });
    },
  };
}

function signalIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGCONT');
  } catch {
    // it has ended, as it was meant to
  }
}

const detailOf = ({ process: exit }: NodeReport): string => (exit.state === 'exited' ? exit.detail : 'it runs');

// They wait most of their time.
describe('a node that gives no sign of life', { concurrency: 4 }, () => {
  test('stopped for a second: nothing happens, and nothing is told', async (t) => {
    const node = await oneNode(t, 'replaced');
    node.signal(node.pid, 'SIGSTOP');
    await pause(1_000);
    node.signal(node.pid, 'SIGCONT');
    await node.assertWell();
    await pause(QUESTION_MS);
    assert.equal(node.report().pulse?.state, 'well');
  });

  test('stopped: ended after 2 s when a replica can take its place', async (t) => {
    const node = await oneNode(t, 'replaced');
    const at = performance.now();
    node.signal(node.pid, 'SIGSTOP');
    const tookMs = (await node.isEnded()) - at;
    t.diagnostic(`ended ${Math.round(tookMs)} ms after the stop`);
    assert.ok(tookMs >= 2_000, `${tookMs} ms`);
    assert.match(detailOf(node.report()), /^it was stopped for [2-9]\.\d s, and was ended$/);
    assert.equal(node.report().pulse, null);
  });

  test('stopped, and its shard would miss it: told, left alone, and well again when it goes on', async (t) => {
    const node = await oneNode(t, 'missed');
    const before = Date.now();
    node.signal(node.pid, 'SIGSTOP');
    await node.tells('stopped');
    assert.ok(Math.abs(node.report().pulse!.since - before) < 1_500, 'since when');
    await pause(1_500);
    node.signal(node.pid, 'SIGCONT');
    await node.tells('well');
    await node.assertWell();
  });

  test('a replica that is spared is given more time', async (t) => {
    const node = await oneNode(t, 'spared');
    node.signal(node.pid, 'SIGSTOP');
    await pause(BEYOND_MS);
    assert.equal(node.report().process.state, 'running');
    assert.equal(node.report().pulse?.state, 'stopped');
  });

  test('hung, doing nothing at all: ended after 3 s', async (t) => {
    const node = await oneNode(t, 'replaced');
    const at = performance.now();
    node.line.command('DEBUG', 'SLEEP', 60).catch(() => {}); // until its end
    const tookMs = (await node.isEnded()) - at;
    t.diagnostic(`ended ${Math.round(tookMs)} ms after it hung`);
    assert.ok(tookMs >= 3_000, `${tookMs} ms`);
    assert.match(detailOf(node.report()), /^it hung for [3-9]\.\d s, and was ended$/);
  });

  test('busy with a long script: told, and never ended', async (t) => {
    const node = await oneNode(t, 'replaced');
    node.line.command('EVAL', 'while true do end', 0).catch(() => {}); // the answer comes later than this line waits
    await node.tells('busy');
    await pause(QUESTION_MS); // by now it answers, and says so
    assert.equal(node.report().pulse?.state, 'busy');
    await node.otherLine.command('SCRIPT', 'KILL');
    await node.tells('well');
    await node.assertWell();
  });

  test('its clients paused: told, and never ended', async (t) => {
    const node = await oneNode(t, 'replaced');
    await node.line.command('CLIENT', 'PAUSE', 9_000, 'ALL');
    await node.tells('silent');
    assert.equal(node.report().process.state, 'running');
    await node.tells('well');
    await node.assertWell();
  });

  test('the agent itself was stopped: what it did not see counts for nothing', async (t) => {
    const node = await oneNode(t, 'replaced');
    node.signal(node.pid, 'SIGSTOP');
    await pause(QUESTION_MS); // it has asked, in vain
    node.signal(node.agentPid, 'SIGSTOP');
    await pause(BEYOND_MS);
    node.signal(node.agentPid, 'SIGCONT');
    await pause(1_000);
    node.signal(node.pid, 'SIGCONT');
    await pause(QUESTION_MS);
    await node.assertWell();
  });
});
