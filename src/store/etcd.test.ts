import { after, before } from 'node:test';
import { type Etcd, startEtcd } from '../../test/support/etcd.ts';
import { storeContract } from '../../test/support/store-contract.ts';
import { openEtcdStore } from './etcd.ts';

let etcd: Etcd;
let opened = 0;
const ends: (() => unknown)[] = [];
before(async () => {
  etcd = await startEtcd({ after: (end) => ends.push(end as () => unknown) });
});
after(async () => {
  for (const end of ends) await end();
});

storeContract(
  'etcd store',
  () => {
    opened += 1;
    return openEtcdStore({ urls: etcd.urls, prefix: `fleet-${opened}` });
  },
  { alone: false, runs: 20 },
);
