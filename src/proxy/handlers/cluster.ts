/** Handlers of cluster commands. */
import type { Handler } from '../call.ts';

export const CLUSTER_HANDLERS: Readonly<Record<string, Handler>> = {};
