/** Handlers of pubsub commands. */
import type { Handler } from '../call.ts';

export const PUBSUB_HANDLERS: Readonly<Record<string, Handler>> = {};
