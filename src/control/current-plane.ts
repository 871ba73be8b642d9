/** The control plane of the present term as one object: what the API is given once, while terms come and go. */
import type { ControlPlane } from './control-plane.ts';

/**
 * Each call goes to the control plane that `now` names at that moment, or fails as it does; what ends a fleet is not the
 * affair of one term.
 */
export const currentPlane = (now: () => ControlPlane, shutDown: ControlPlane['shutDown']): ControlPlane => ({
  get fleet() {
    return now().fleet;
  },
  get joinTokens() {
    return now().joinTokens;
  },
  get backups() {
    return now().backups;
  },
  get exports() {
    return now().exports;
  },
  get archives() {
    return now().archives;
  },
  get backupSchedules() {
    return now().backupSchedules;
  },
  restore: async (wish) => now().restore(wish),
  status: () => now().status(),
  databases: () => now().databases(),
  database: (name) => now().database(name),
  createDatabase: async (request) => now().createDatabase(request),
  deleteDatabase: async (name, allow) => now().deleteDatabase(name, allow),
  updateDatabase: async (name, input, allow) => now().updateDatabase(name, input, allow),
  putDatabase: async (name, input, allow) => now().putDatabase(name, input, allow),
  failoversOf: async (name) => now().failoversOf(name),
  reshard: async (name, wish) => now().reshard(name, wish),
  rebalance: async (name, wish) => now().rebalance(name, wish),
  hotspots: async (name, wish) => now().hotspots(name, wish),
  explain: async (name) => now().explain(name),
  switchOver: async (name, shard, to) => now().switchOver(name, shard, to),
  takeOver: async (name, shard, wish) => now().takeOver(name, shard, wish),
  authorities: () => now().authorities(),
  password: (name, user) => now().password(name, user),
  plan: async (request) => now().plan(request),
  restartEndpoints: async (wish) => now().restartEndpoints(wish),
  events: async (query) => now().events(query),
  followEvents: (listener) => now().followEvents(listener),
  log: async (source, lines) => now().log(source, lines),
  shutDown,
});
