/** INFO: the figures of all primaries added up; of server, clients, replication and cluster, what the endpoint is. */
import { createHash } from 'node:crypto';
import { encodeReply, Verbatim } from '../../resp/encode-reply.ts';
import { ReplyError } from '../../resp/reply.ts';
import type { Handler } from '../call.ts';
import { ask, slotsOfPrimaries, work } from '../gather.ts';
import type { Home } from '../home.ts';
import { formatInfo, type Info, mergeInfo, parseInfo } from '../info-text.ts';
import { partsOfAddress } from '../session.ts';
import { type ClientCounts, countClients } from './clients.ts';

const DAY_SECONDS = 86_400;
const NO_ID = '0'.repeat(40);

const info: Handler = (call) => {
  const { client, session, home } = call;
  const command = call.args();
  const { localAddress } = session;
  work(client, async () => {
    const asked = slotsOfPrimaries(client).map((slot) => ask(client, slot, command));
    const [replies, counts] = await Promise.all([Promise.all(asked), countAll(home)]);
    const error = replies.find((reply) => reply instanceof ReplyError);
    if (error) return encodeReply(error, session.resp);
    const merged = mergeInfo(replies.map((reply) => parseInfo(String(reply))));
    overlay(merged, home, counts, localAddress);
    return encodeReply(new Verbatim(formatInfo(merged)), session.resp);
  });
};

/** Of all workers. */
async function countAll(home: Home): Promise<ClientCounts> {
  const others = await home.askOthers({ ask: 'counts', database: home.database.uid });
  const all = [countClients(home), ...others.filter(Boolean).map((text) => JSON.parse(text) as ClientCounts)];
  const sum = (field: keyof ClientCounts): number => all.reduce((total, counts) => total + counts[field], 0);
  return {
    ...{
      clients: sum('clients'),
      pubsub: sum('pubsub'),
      tracking: sum('tracking'),
      prefixes: sum('prefixes'),
      waiting: sum('waiting'),
    },
    ...{ accepted: sum('accepted'), rejected: sum('rejected') },
  };
}

/** Forty characters that are always the same for the same database. */
export const idOf = (home: Home, what: string): string =>
  createHash('sha1').update(`${home.database.uid} ${what}`).digest('hex');

/** Puts in what the endpoint knows better than its nodes. */
function overlay(merged: Info, home: Home, counts: ClientCounts, localAddress: string): void {
  const put = (title: string, values: Record<string, string | number>): void => {
    const section = merged.get(title);
    if (!section) return;
    for (const [name, value] of Object.entries(values)) if (section.has(name)) section.set(name, String(value));
  };
  const shows = home.database.clusterView === 'nodes' ? 'cluster' : 'standalone';
  const uptime = Math.floor((home.now - home.startedAt) / 1000);
  put('Server', {
    ...{ server_mode: shows, redis_mode: shows, process_id: process.pid, run_id: idOf(home, 'run') },
    ...{ tcp_port: home.database.port, uptime_in_seconds: uptime, uptime_in_days: Math.floor(uptime / DAY_SECONDS) },
    ...{ executable: process.execPath, config_file: '', server_time_usec: Date.now() * 1000 },
    listener0: `name=tcp,bind=${partsOfAddress(localAddress)[0]},port=${home.database.port}`,
  });
  put('Clients', {
    ...{ connected_clients: counts.clients, maxclients: home.limits.clients },
    ...{ tracking_clients: counts.tracking, pubsub_clients: counts.pubsub, cluster_connections: 0 },
    ...{
      paused_reason: home.pause.isOn ? 'client_pause' : 'none',
      paused_actions: home.pause.mode,
      paused_timeout_milliseconds: Math.max(0, home.pause.until - Date.now()),
    },
    blocked_clients: Number(merged.get('Clients')?.get('blocked_clients') ?? 0) + counts.waiting,
  });
  put('Stats', {
    tracking_total_prefixes: counts.prefixes,
    total_connections_received: counts.accepted,
    rejected_connections: counts.rejected,
  });
  const replication = merged.get('Replication');
  for (const name of [...(replication?.keys() ?? [])]) if (/^slave\d/.test(name)) replication!.delete(name);
  put('Replication', {
    ...{ role: 'master', connected_slaves: 0, master_replid: idOf(home, 'replication'), master_replid2: NO_ID },
  });
  if (shows === 'cluster') return;
  put('Cluster', { cluster_enabled: 0 });
  merged.get('Cluster Info')?.clear();
}

export const INFO_HANDLERS: Readonly<Record<string, Handler>> = { info };
