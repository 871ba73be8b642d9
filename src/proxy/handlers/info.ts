/** Handlers of info commands. */
import type { Handler } from '../call.ts';

export const INFO_HANDLERS: Readonly<Record<string, Handler>> = {};
