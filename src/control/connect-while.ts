/** Connections of a control plane that may stop leading at any moment. */
import { ValkeeperError } from '../domain/errors.ts';
import { NodeConnection } from '../valkey/connection.ts';
import type { Connect } from '../valkey/engines.ts';

/** Connections whose commands fail with not_leader, without being sent, once `mayAct` says no. */
export const connectWhile =
  (mayAct: () => boolean): Connect =>
  (options) => {
    const connection = new NodeConnection(options);
    const guarded = <T>(send: () => Promise<T>): Promise<T> =>
      mayAct() ? send() : Promise.reject(new ValkeeperError('not_leader'));
    return {
      commandTimeoutMs: connection.commandTimeoutMs,
      command: (...args) => guarded(() => connection.command(...args)),
      pipeline: (commands) => guarded(() => connection.pipeline(commands)),
      close: () => connection.close(),
    };
  };
