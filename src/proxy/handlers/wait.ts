/** Handlers of wait commands. */
import type { Handler } from '../call.ts';

export const WAIT_HANDLERS: Readonly<Record<string, Handler>> = {};
