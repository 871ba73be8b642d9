/** Handlers of scan commands. */
import type { Handler } from '../call.ts';

export const SCAN_HANDLERS: Readonly<Record<string, Handler>> = {};
