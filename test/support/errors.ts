/** Matching the errors that are for people. */
import { type ErrorCode, ValkeeperError } from '../../src/domain/errors.ts';

/** For `assert.throws` and `assert.rejects`: a ValkeeperError with this code whose message matches. */
export const valkeeperError =
  (code: ErrorCode, message = /./) =>
  (error: unknown): boolean =>
    error instanceof ValkeeperError &&
    error.code === code &&
    message.test(error.message) &&
    !/\{\w+\}/.test(error.message + error.hint);
