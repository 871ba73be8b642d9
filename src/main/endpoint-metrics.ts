/** The endpoint's figures for Prometheus: `GET /metrics` at the machine's address. */
import { createServer, type Server } from 'node:http';
import { Counter, Gauge, Registry } from 'prom-client';
import type { DatabaseFigures } from '../proxy/figures.ts';
import { BOUNDS_MS, type HistogramFigures } from '../proxy/histogram.ts';

/** Names of the counts that are told, with what they mean. */
const COUNTERS: Readonly<Record<string, [name: string, help: string]>> = {
  accepted: ['connections_accepted_total', 'Connections of clients that were accepted.'],
  rejected: ['connections_rejected_total', 'Connections that were turned away at the limit of clients.'],
  bytesIn: ['received_bytes_total', 'Bytes received from clients.'],
  bytesOut: ['sent_bytes_total', 'Bytes sent to clients.'],
  errorReplies: ['error_replies_total', 'Error replies to clients.'],
  protocolErrors: ['protocol_errors_total', 'Clients that were closed for bytes that are no command.'],
  longCommands: ['long_commands_total', 'Clients that were closed for a command beyond the limit of its bytes.'],
  largeClients: ['large_clients_total', 'Clients that were closed because they held most of too much memory.'],
  plainRefused: ['plain_refused_total', 'Connections without TLS that were turned away since TLS is required.'],
  failedHandshakes: ['failed_handshakes_total', 'TLS handshakes that came to nothing.'],
  lateLogins: ['late_logins_total', 'Clients that were closed because they named no user in time.'],
  idleClients: ['idle_clients_total', 'Clients that were closed because they said nothing for too long.'],
  defects: ['defects_total', 'Commands that met a defect of the endpoint.'],
  slowClients: ['slow_clients_total', 'Clients that were closed because they did not take their replies.'],
  redirections: ['redirections_total', 'MOVED and ASK answers of nodes, followed by the endpoint.'],
  waited: ['waits_total', 'Times a command waited for a node or for the slot map.'],
  unknownOutcomes: ['unknown_outcomes_total', 'Commands whose node was lost before it answered.'],
  paced: ['paced_writes_total', 'Writes that waited for their turn because their slots were on their way.'],
  refusedWaits: ['refused_waits_total', 'Commands that were answered with an error because too many waited.'],
  refreshes: ['slot_map_refreshes_total', 'Answers of nodes about who owns which slot.'],
};

/** The text that Prometheus reads. */
export async function metricsText(all: readonly DatabaseFigures[]): Promise<string> {
  const registers = [new Registry()];
  const gauge = (name: string, help: string, ...labelNames: string[]) =>
    new Gauge({ name: `valkeeper_endpoint_${name}`, help, labelNames: ['database', ...labelNames], registers });
  const clients = gauge('clients', 'Clients connected now.');
  const waiting = gauge('waiting_commands', 'Commands that wait for a node now.');
  const connections = gauge('upstream_connections', 'Shared connections to a node.', 'node');
  const inFlight = gauge('upstream_in_flight', 'Commands that a node has not answered yet.', 'node');
  const operations = new Counter({
    ...{ name: 'valkeeper_endpoint_commands_total', help: 'Commands of clients, by family.', registers },
    labelNames: ['database', 'family'],
  });
  const counters = Object.entries(COUNTERS).map(([key, [name, help]]) => {
    const counter = new Counter({ name: `valkeeper_endpoint_${name}`, help, labelNames: ['database'], registers });
    return [key, counter] as const;
  });
  for (const { database, counts, ...figures } of all) {
    clients.set({ database }, figures.clients);
    waiting.set({ database }, counts['waiting'] ?? 0);
    for (const [key, counter] of counters) counter.inc({ database }, counts[key] ?? 0);
    for (const [family, count] of Object.entries(figures.operations)) operations.inc({ database, family }, count);
    for (const [node, upstream] of Object.entries(figures.upstreams)) {
      connections.set({ database, node }, upstream.connections);
      inFlight.set({ database, node }, upstream.inFlight);
    }
  }
  const latencies = [
    histogramText('latency_seconds', 'Time from a command to its reply (sampled).', all, 'endpointLatency'),
    histogramText('engine_latency_seconds', 'Of that, time at the engine (sampled).', all, 'engineLatency'),
  ];
  return `${await registers[0]!.metrics()}\n${latencies.join('\n')}\n`;
}

/** Histograms come counted already, which the library has no way to take. */
function histogramText(
  name: string,
  help: string,
  all: readonly DatabaseFigures[],
  key: 'endpointLatency' | 'engineLatency',
): string {
  const full = `valkeeper_endpoint_${name}`;
  const lines = [`# HELP ${full} ${help}`, `# TYPE ${full} histogram`];
  for (const figures of all) lines.push(...linesOf(full, figures.database, figures[key]));
  return lines.join('\n');
}

function* linesOf(name: string, database: string, { buckets, sumMs }: HistogramFigures): Generator<string> {
  let sum = 0;
  for (const [index, count] of buckets.entries()) {
    sum += count;
    const bound = index < BOUNDS_MS.length ? BOUNDS_MS[index]! / 1000 : '+Inf';
    yield `${name}_bucket{database="${database}",le="${bound}"} ${sum}`;
  }
  yield `${name}_sum{database="${database}"} ${sumMs / 1000}`;
  yield `${name}_count{database="${database}"} ${sum}`;
}

/** Serves the figures; a port that is taken is told to `failed` and costs the metrics only. */
export function serveMetrics(
  address: string,
  port: number,
  figures: () => Promise<DatabaseFigures[]>,
  failed: (error: Error) => void,
): Server {
  const server = createServer((request, response) => {
    if (request.url !== '/metrics') {
      response.writeHead(404).end('Only /metrics is here.\n');
      return;
    }
    figures()
      .then(metricsText)
      .then(
        (text) => response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text),
        (error: Error) => response.writeHead(500).end(`${error.message}\n`),
      );
  });
  server.on('error', failed);
  server.listen({ host: address, port });
  return server;
}
