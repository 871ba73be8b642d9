import { storeContract } from '../../test/support/store-contract.ts';
import { openMemoryStore } from './memory.ts';

storeContract('memory store', () => openMemoryStore());
