/** Handlers of everywhere commands. */
import type { Handler } from '../call.ts';

export const EVERYWHERE_HANDLERS: Readonly<Record<string, Handler>> = {};
