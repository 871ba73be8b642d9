/** The network: who has our ports, what becomes of connections that wait to be accepted. */
import { BUS_PORT_OFFSET } from '../../domain/database.ts';
import { FIRST_PORT } from '../../domain/spec.ts';
import { type Check, ok, sysctl, unknown } from '../check.ts';
import type { HostFacts, Listener } from '../facts.ts';

/** Client ports of nodes. */
const NODE_PORTS = { from: 7000, to: 7999 } as const;
/** Databases get the first free ports from 6379 on; so many of them are looked at. */
const ENDPOINT_PORTS = { from: FIRST_PORT, to: FIRST_PORT + 15 } as const;
/** Fewer node ports than this, and a machine cannot hold what its memory could. */
const FEW_PORTS = 100;
/** Node's backlog; the engine's is as large. */
const BACKLOG = 511;
/** How many of those who have a port are named. */
const NAMED = 3;

interface Range {
  readonly from: number;
  readonly to: number;
}

const BUS_PORTS: Range = { from: NODE_PORTS.from + BUS_PORT_OFFSET, to: NODE_PORTS.to + BUS_PORT_OFFSET };

const within = ({ from, to }: Range, port: number): boolean => port >= from && port <= to;
const foreign = (listeners: readonly Listener[], ...ranges: Range[]): Listener[] =>
  listeners.filter(({ port, ours }) => !ours && ranges.some((range) => within(range, port)));

/** `6379 (redis-server, process 12, redis-server.service)`. */
function describe({ port, program, pid, unit }: Listener): string {
  const who = [program ?? 'of another user, or just gone', pid === null ? null : `process ${pid}`, unit].filter(
    (one) => one !== null,
  );
  return `${port} (${who.join(', ')})`;
}

/** Each port once, the first few with who has them. */
function holders(listeners: readonly Listener[]): string {
  const each = [...new Map(listeners.map((one) => [one.port, one])).values()].sort((a, b) => a.port - b.port);
  const more = each.length > NAMED ? ` and ${each.length - NAMED} more` : '';
  return each.slice(0, NAMED).map(describe).join(', ') + more;
}

/** How to get rid of the first of them, or, as nobody ends a stranger's process unseen, how to look at it. */
function stopThem(listeners: readonly Listener[]): { now: string } {
  const [first] = [...listeners].sort((a, b) => a.port - b.port);
  if (first?.unit?.endsWith('.service')) return { now: `systemctl disable --now ${first.unit}` };
  return { now: `ss -ltnp 'sport = :${first?.port}'` };
}

const UNREADABLE = '/proc/net/tcp cannot be read here';
const countOurs = (listeners: readonly Listener[], ...ranges: Range[]): number =>
  new Set(
    listeners.filter((one) => one.ours && ranges.some((range) => within(range, one.port))).map(({ port }) => port),
  ).size;

const apiPort: Check = {
  name: 'api-port',
  about: 'the port of the API',
  why: 'Agents and the command line find the control plane at its port. A host that runs no control plane may ignore this.',
  judged: 'Warning when another process listens there.',
  look: ({ listeners, apiPort: port }) => {
    if (listeners === null) return unknown(UNREADABLE);
    const range = { from: port, to: port };
    const others = foreign(listeners, range);
    if (others.length > 0) return { level: 'warning', says: `taken: ${holders(others)}`, ...stopThem(others) };
    return ok(`${port} is ${countOurs(listeners, range) > 0 ? 'ours' : 'free'}`);
  },
};

const nodePorts: Check = {
  name: 'node-ports',
  about: `ports of nodes: ${NODE_PORTS.from}-${NODE_PORTS.to}, and their bus ports ${BUS_PORTS.from}-${BUS_PORTS.to}`,
  why: 'Each node needs a client port and the bus port 10000 above it. Ports that are taken are passed over; when too few are left, nodes cannot be placed here.',
  judged: `Warning when other processes listen on some; problem when fewer than ${FEW_PORTS} pairs are left.`,
  look: ({ listeners }) => {
    if (listeners === null) return unknown(UNREADABLE);
    const others = foreign(listeners, NODE_PORTS, BUS_PORTS);
    const pairs = new Set(others.map(({ port }) => (port > NODE_PORTS.to ? port - BUS_PORT_OFFSET : port)));
    const left = NODE_PORTS.to - NODE_PORTS.from + 1 - pairs.size;
    if (pairs.size === 0) return ok(`${countOurs(listeners, NODE_PORTS)} have nodes of ours, the others are free`);
    const level = left < FEW_PORTS ? 'problem' : 'warning';
    return { level, says: `${left} pairs are left; taken: ${holders(others)}`, ...stopThem(others) };
  },
};

const endpointPorts: Check = {
  name: 'endpoint-ports',
  about: `ports of endpoints: ${ENDPOINT_PORTS.from} and up`,
  why: 'A database has one port at every machine, 6379 if it is free. Where another process has it, the database gets another port, or, if it came later, has no endpoint on this machine.',
  judged: `Warning when other processes listen between ${ENDPOINT_PORTS.from} and ${ENDPOINT_PORTS.to}.`,
  look: ({ listeners }) => {
    if (listeners === null) return unknown(UNREADABLE);
    const others = foreign(listeners, ENDPOINT_PORTS);
    if (others.length > 0) return { level: 'warning', says: `taken: ${holders(others)}`, ...stopThem(others) };
    const ours = countOurs(listeners, ENDPOINT_PORTS);
    return ok(ours > 0 ? `${ours} are ours, the others are free` : 'free');
  },
};

/** Whether the text of net.ipv4.ip_local_reserved_ports has all of these. */
function reserves(text: string, { from, to }: Range): boolean {
  const ranges = text.split(',').map((part) => {
    const [first = Number.NaN, last = first] = part.split('-').map(Number);
    return { from: first, to: last };
  });
  return ranges.some((range) => range.from <= from && range.to >= to);
}

const outgoingPorts: Check = {
  name: 'outgoing-ports',
  about: 'net.ipv4.ip_local_port_range',
  why: 'The kernel gives these ports to outgoing connections. If it gives one that a node had, the node cannot be started again.',
  judged: 'Warning when the range has ports of nodes or endpoints that are not reserved.',
  look: ({ outgoingPorts: range, reservedPorts, apiPort: api }) => {
    if (range === null) return unknown('net.ipv4.ip_local_port_range cannot be read here');
    const needed: Range[] = [ENDPOINT_PORTS, NODE_PORTS, { from: api, to: api }, BUS_PORTS];
    const overlapping = needed.filter(({ from, to }) => from <= range.to && to >= range.from);
    const said = `outgoing connections get ${range.from} to ${range.to}`;
    if (overlapping.every((one) => reserves(reservedPorts, one))) return ok(said);
    const wanted = needed.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`));
    const all = [...(reservedPorts === '' ? [] : [reservedPorts]), ...wanted].join(',');
    return { level: 'warning', says: `${said}, ours among them`, ...sysctl('net.ipv4.ip_local_reserved_ports', all) };
  },
};

/** From this kernel on it exists. */
const MIGRATE_KERNEL = '5.14';

const migrateRequests: Check = {
  name: 'migrate-requests',
  about: 'net.ipv4.tcp_migrate_req',
  why: 'The workers of an endpoint listen on the same ports (SO_REUSEPORT). When one of them ends, connections that wait in its queue are reset, unless the kernel moves them to another.',
  judged: 'Warning unless it is 1.',
  look: ({ migrateRequests: value }: HostFacts) => {
    if (value === 1) return ok('net.ipv4.tcp_migrate_req is 1');
    if (value !== null) {
      return {
        level: 'warning',
        says: 'net.ipv4.tcp_migrate_req is 0, not 1',
        ...sysctl('net.ipv4.tcp_migrate_req', '1'),
      };
    }
    return unknown(`net.ipv4.tcp_migrate_req cannot be read here: kernels before ${MIGRATE_KERNEL} do not have it`);
  },
};

const listenBacklog: Check = {
  name: 'listen-backlog',
  about: 'net.core.somaxconn',
  why: `So many connections may wait to be accepted, whatever a program asks for: nodes and endpoints ask for ${BACKLOG}. When many clients reconnect at once, those beyond it wait for seconds.`,
  judged: `Warning below ${BACKLOG}.`,
  look: ({ listenBacklog: value }) => {
    if (value === null) return unknown('net.core.somaxconn cannot be read here');
    if (value >= BACKLOG) return ok(`net.core.somaxconn is ${value}`);
    return { level: 'warning', says: `net.core.somaxconn is ${value}`, ...sysctl('net.core.somaxconn', '4096') };
  },
};

/** In the order they are told. */
export const NETWORK_CHECKS: readonly Check[] = [
  apiPort,
  nodePorts,
  endpointPorts,
  outgoingPorts,
  migrateRequests,
  listenBacklog,
];
