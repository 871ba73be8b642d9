/** Every command that is not simply routed, with what the endpoint does. Parity with the policies is tested. */
import type { Handler } from '../call.ts';
import { BLOCKING_HANDLERS } from './blocking.ts';
import { CLIENT_HANDLERS } from './clients.ts';
import { CLUSTER_HANDLERS } from './cluster.ts';
import { CONNECTION_HANDLERS } from './connection.ts';
import { EVERYWHERE_HANDLERS } from './everywhere.ts';
import { INFO_HANDLERS } from './info.ts';
import { MSETEX_HANDLERS } from './msetex.ts';
import { PUBSUB_HANDLERS } from './pubsub.ts';
import { SCAN_HANDLERS } from './scan.ts';
import { SCRIPT_HANDLERS } from './scripts.ts';
import { SPLIT_HANDLERS } from './split.ts';
import { TRACKING_HANDLERS } from './tracking.ts';
import { TRANSACTION_HANDLERS } from './transactions.ts';
import { WAIT_HANDLERS } from './wait.ts';

export const HANDLERS: Readonly<Record<string, Handler>> = {
  ...BLOCKING_HANDLERS,
  ...CLIENT_HANDLERS,
  ...CLUSTER_HANDLERS,
  ...CONNECTION_HANDLERS,
  ...EVERYWHERE_HANDLERS,
  ...INFO_HANDLERS,
  ...MSETEX_HANDLERS,
  ...PUBSUB_HANDLERS,
  ...SCAN_HANDLERS,
  ...SCRIPT_HANDLERS,
  ...SPLIT_HANDLERS,
  ...TRACKING_HANDLERS,
  ...TRANSACTION_HANDLERS,
  ...WAIT_HANDLERS,
};
