/** Handlers of scripts commands. */
import type { Handler } from '../call.ts';

export const SCRIPT_HANDLERS: Readonly<Record<string, Handler>> = {};
