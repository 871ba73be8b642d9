/** Every row of the behaviour table, through every client library in every protocol that it speaks. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ADMIN_PASSWORD, endpointScene, type Scene, until } from '../support/endpoint-scene.ts';
import { BEHAVIOURS } from './behaviours.ts';
import type { CompatClient, Library, Options, Protocol, Subscription } from './client.ts';
import { glide } from './clients/glide.ts';
import { ioredis, iovalkey } from './clients/ioredis.ts';
import { nodeRedis } from './clients/node-redis.ts';
import { type Behaviour, difference, type Stage } from './stage.ts';

const LIBRARIES: readonly Library[] = [ioredis, nodeRedis, iovalkey, glide];
const PASSWORD = 'app-secret';
const READER = {
  name: 'reader',
  password: 'reader-secret',
  rules: '~open:* resetchannels -@all +@read +@connection +acl|whoami +info',
};

/** A row that hangs is to fail, not to hold up the others. */
const ROW_MS = 20_000;
const UNTIL_MS = 10_000;

let scene: Scene;
const ends: (() => unknown)[] = [];
before(async () => {
  assert.notEqual(PASSWORD, ADMIN_PASSWORD);
  scene = await endpointScene(
    { after: (end) => ends.push(end as () => unknown) },
    { password: PASSWORD, users: [READER] },
  );
});
after(async () => {
  for (const end of ends.reverse()) await end();
});

const everyNode: Stage['everyNode'] = (...command) =>
  Promise.all(scene.primaries.map(async ({ admin }) => String(await admin.command(...command))));

/** As at the beginning: no key, and no other client's subscription or wait. (GLIDE takes seconds to disconnect.) */
async function tidy(): Promise<void> {
  await until('what clients of the last row did is over', async () =>
    [...scene.service.peers.values()].every(
      ({ session, blockedOn }) => blockedOn === null && (session.subscriptions?.count ?? 0) === 0,
    ),
  );
  await everyNode('FLUSHALL');
}

const openerOf = (library: Library, resp: Protocol) => {
  const addressOf = (options: Options) => ({
    password: PASSWORD,
    ...options,
    host: scene.host,
    port: scene.port,
    resp,
  });
  return {
    open: (options: Options = {}) => library.open(addressOf(options)),
    openCaching: () => library.openCaching(addressOf({})),
  };
};

function exceptionOf({ except = {} }: Behaviour, { name }: Library, resp: Protocol): string | undefined {
  return except[name] ?? except[`${name} in RESP${resp}`];
}

for (const library of LIBRARIES) {
  for (const resp of library.speaks) {
    describe(`${library.name} in RESP${resp}`, () => {
      const { open, openCaching } = openerOf(library, resp);
      let client: CompatClient;
      before(async () => {
        client = await open();
      });
      after(() => client.close());

      for (const { title, rows } of BEHAVIOURS) {
        describe(title, () => {
          for (const row of rows) {
            if (exceptionOf(row, library, resp) !== undefined) continue; // the page says why
            it(`${row.id}: ${row.says}`, { timeout: ROW_MS }, async () => {
              await tidy();
              const others: CompatClient[] = [];
              const subscriptions: Subscription[] = [];
              const openAnother: Stage['open'] = async (options) => {
                const other = await open(options);
                others.push(other);
                const subscribe: CompatClient['subscribe'] = async (kind, channels) => {
                  const subscription = await other.subscribe(kind, channels);
                  subscriptions.push(subscription);
                  return subscription;
                };
                return { ...other, subscribe };
              };
              const untilHere: Stage['until'] = (what, holds) => until(what, holds, UNTIL_MS);
              try {
                const came = await row.does({ client, open: openAnother, openCaching, everyNode, until: untilHere });
                assert.equal(difference(came, row.gives), null);
              } finally {
                await Promise.allSettled(subscriptions.map((one) => one.unsubscribe()));
                for (const other of others) other.close();
              }
            });
          }
        });
      }
    });
  }
}
