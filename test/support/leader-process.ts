/**
 * A process for leader.test.ts. `node leader-process.ts URLS PREFIX NAME LEASE_MS`: tries to lead; while it does, it
 * numbers steps in the store, each once, as only the leader may. It goes on with its term until the store refuses it,
 * whatever its own clock says. Prints a JSON line for what happens.
 */
import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fencedStore } from '../../src/control/fenced-store.ts';
import { Leadership, type Term } from '../../src/control/leader.ts';
import { ValkeeperError } from '../../src/domain/errors.ts';
import { createLogger } from '../../src/platform/log.ts';
import { openEtcdStore } from '../../src/store/etcd.ts';

const [urls = '', prefix = '', name = '', leaseMs = ''] = process.argv.slice(2);
const STEP_MS = 20;

/** At once: what was printed happened before the process could die. */
const say = (event: string, more: object = {}): void => void writeSync(1, `${JSON.stringify({ event, ...more })}\n`);

const { log } = createLogger({ name, level: 'error' });
const store = await openEtcdStore({ urls: urls.split(','), prefix });
const leadership = new Leadership({ store, self: { name, api: `https://${name}` }, leaseMs: Number(leaseMs), log });
leadership.on('leader', (leader) => say('leader', { leader: leader?.name ?? null }));
leadership.on('lost', (term, loss) => say('lost', { term: term.number, loss }));
leadership.on('gained', (term) => {
  say('gained', { term: term.number });
  void takeSteps(term);
});
process.on('SIGTERM', () => {
  void leadership.close().then(() => store.close());
});
say('ready');

async function takeSteps(term: Term): Promise<void> {
  const fenced = fencedStore(store, term);
  for (;;) {
    try {
      const last = await store.get<number>('last');
      const number = (last?.value ?? 0) + 1;
      const done = await fenced.commit([
        { put: `steps/${String(number).padStart(6, '0')}`, value: { by: name, term: term.number }, expect: 'absent' },
        { put: 'last', value: number, expect: last?.revision ?? 'absent' },
      ]);
      say(done.ok ? 'step' : 'conflict', { number, term: term.number });
    } catch (error) {
      const code = error instanceof ValkeeperError ? error.code : String(error);
      say('failed', { code, term: term.number, leads: leadership.term !== null });
      if (code === 'not_leader' || code === 'store_closed') return;
    }
    await sleep(STEP_MS);
  }
}
