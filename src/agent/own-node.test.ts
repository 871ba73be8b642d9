import assert from 'node:assert/strict';
import { it } from 'node:test';
import { valkeeperError } from '../../test/support/errors.ts';
import type { NodeReport } from '../protocol/agent-messages.ts';
import { requireEnd } from './own-node.ts';

it('does nothing of what was decided of another end of the process', () => {
  const process = { state: 'exited', how: 'died', at: 5, detail: 'killed' } as const;
  const node = { id: 'n', report: () => ({ process }) as NodeReport };
  assert.throws(() => requireEnd(node, 4, 'm'), valkeeperError('node_ended_again'));
  requireEnd(node, 5, 'm');
  requireEnd(node, undefined, 'm');
  const running = { id: 'n', report: () => ({ process: { state: 'running', pid: 1 } }) as NodeReport };
  requireEnd(running, 4, 'm');
});
