/** Handlers of tracking commands. */
import type { Handler } from '../call.ts';

export const TRACKING_HANDLERS: Readonly<Record<string, Handler>> = {};
