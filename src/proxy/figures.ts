/** What a worker counts, as plain numbers that add up over workers. */
import { commandGroups } from './commands/command-index.ts';
import type { HistogramFigures } from './histogram.ts';
import type { Service } from './service.ts';

export interface DatabaseFigures {
  database: string;
  clients: number;
  /** Numbers by name; each is a sum. */
  counts: Record<string, number>;
  /** Commands taken, by family: the engine's groups of commands. */
  operations: Record<string, number>;
  /** From a command's last byte to its reply's first, at the endpoint; and of that, at the engine. Sampled. */
  endpointLatency: HistogramFigures;
  engineLatency: HistogramFigures;
  /** By node: its address. */
  upstreams: Record<string, { connections: number; inFlight: number }>;
}

/** The figures of a database in this worker. */
export function figuresOf(service: Service): DatabaseFigures {
  const { counts, sender, topology, peers, map } = service;
  const operations: Record<string, number> = {};
  for (const [number, group] of commandGroups().entries()) {
    const taken = service.operations[number]!;
    if (taken > 0) operations[group] = (operations[group] ?? 0) + taken;
  }
  const upstreams: DatabaseFigures['upstreams'] = {};
  for (const lane of service.lanes()) {
    for (const [index, upstream] of lane.open()) {
      const { host, port } = map.nodes[index]!;
      addUpstream(upstreams, `${host}:${port}`, { connections: 1, inFlight: upstream.inFlight });
    }
  }
  return {
    database: service.database.name,
    clients: peers.size,
    counts: {
      ...counts,
      ...sender.counts,
      waiting: sender.waiting,
      refreshes: topology.refreshes,
      mapVersion: map.version,
    },
    operations,
    endpointLatency: service.latency.endpoint.figures(),
    engineLatency: service.latency.engine.figures(),
    upstreams,
  };
}

/** The figures of several workers together, a row a database. */
export function addFigures(all: readonly DatabaseFigures[]): DatabaseFigures[] {
  const sums = new Map<string, DatabaseFigures>();
  for (const one of all) {
    const sum = sums.get(one.database);
    if (!sum) {
      sums.set(one.database, structuredClone(one));
      continue;
    }
    sum.clients += one.clients;
    addNumbers(sum.counts, one.counts);
    addNumbers(sum.operations, one.operations);
    for (const name of ['endpointLatency', 'engineLatency'] as const) {
      sum[name].sumMs += one[name].sumMs;
      for (const [index, count] of one[name].buckets.entries()) sum[name].buckets[index]! += count;
    }
    for (const [node, more] of Object.entries(one.upstreams)) addUpstream(sum.upstreams, node, more);
  }
  return [...sums.values()];
}

function addUpstream(
  sum: DatabaseFigures['upstreams'],
  node: string,
  { connections, inFlight }: { connections: number; inFlight: number },
): void {
  const known = sum[node] ?? { connections: 0, inFlight: 0 };
  sum[node] = { connections: known.connections + connections, inFlight: known.inFlight + inFlight };
}

function addNumbers(sum: Record<string, number>, more: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(more)) sum[name] = (sum[name] ?? 0) + value;
}
