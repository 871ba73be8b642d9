import { sharedEtcd } from '../../test/support/etcd.ts';
import { storeContract } from '../../test/support/store-contract.ts';
import { openEtcdStore } from './etcd.ts';

const shared = sharedEtcd();
let opened = 0;

storeContract(
  'etcd store',
  () => {
    opened += 1;
    return openEtcdStore({ urls: shared.etcd.urls, prefix: `fleet-${opened}` });
  },
  { alone: false, runs: 20 },
);
