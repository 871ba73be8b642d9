/** Every command that is not simply routed, with what the endpoint does. Parity with the policies is tested. */
import type { Handler } from '../call.ts';
import { BLOCKING_HANDLERS } from './blocking.ts';
import { CLIENT_HANDLERS } from './clients.ts';
import { CONNECTION_HANDLERS } from './connection.ts';
import { SPLIT_HANDLERS } from './split.ts';
import { TRANSACTION_HANDLERS } from './transactions.ts';

export const HANDLERS: Readonly<Record<string, Handler>> = {
  ...SPLIT_HANDLERS,
  ...BLOCKING_HANDLERS,
  ...CLIENT_HANDLERS,
  ...CONNECTION_HANDLERS,
  ...TRANSACTION_HANDLERS,
};
