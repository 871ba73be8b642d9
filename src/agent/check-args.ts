/** The arguments of requests, looked at before anything is done with them. No schema library: agents stay small. */
import { ValkeeperError } from '../domain/errors.ts';
import { isNodeId } from '../domain/ids.ts';
import { SLOT_COUNT } from '../domain/slots.ts';
import type { AgentOperation } from '../protocol/agent-messages.ts';
import { isGuardedDatabase, isVoter } from './roster-shape.ts';

type Check = readonly [wanted: string, holds: (value: unknown) => boolean];

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
const isText = (value: unknown): value is string => typeof value === 'string';
const isWhole = (value: unknown, from: number, to: number): boolean =>
  Number.isInteger(value) && Number(value) >= from && Number(value) <= to;

const NODE: Check = ['a node id', (value) => isText(value) && isNodeId(value)];
const TEXT: Check = ['a text', isText];
/** The bus port, 10000 above, must exist, too. */
const PORT: Check = ['a port from 1 to 55535', (value) => isWhole(value, 1, 55_535)];
const LONGEST_GRACE_MS = 600_000;
const GRACE: Check = [`0 to ${LONGEST_GRACE_MS} ms`, (value) => isWhole(value, 0, LONGEST_GRACE_MS)];
const LONGEST_DRAIN_MS = 3_600_000;
const PROCESS: Check = ['a process id', (value) => Number.isInteger(value)];
const OFFSET: Check = ['a whole number from 0 on', (value) => isWhole(value, 0, Number.MAX_SAFE_INTEGER)];
const FLAG: Check = ['true or false', (value) => typeof value === 'boolean'];
const MOST_PORTS = 1_000;
const MOST_LINES = 10_000;

const isSlotRange = (value: unknown): boolean =>
  Array.isArray(value) &&
  value.length === 2 &&
  isWhole(value[0], 0, SLOT_COUNT - 1) &&
  isWhole(value[1], Number(value[0]), SLOT_COUNT - 1);

const isLeader = (value: unknown): boolean =>
  isObject(value) &&
  NODE[1](value['id']) &&
  isText(value['host']) &&
  /^[0-9a-zA-Z.:-]+$/.test(value['host']) && // it becomes part of a line
  PORT[1](value['port']) &&
  Array.isArray(value['slots']) &&
  value['slots'].every(isSlotRange) &&
  isWhole(value['configEpoch'], 0, Number.MAX_SAFE_INTEGER);

const isListOfLeaders = (value: unknown): boolean => Array.isArray(value) && value.every(isLeader);

const isStartAs = (value: unknown): boolean =>
  isObject(value) &&
  ((value['kind'] === 'itself' && (value['yields'] === undefined || isListOfLeaders(value['yields']))) ||
    (value['kind'] === 'replica' && isLeader(value['primary'])));

/** Of a file: its size and what it is, or nothing. */
const isEnd = (value: unknown): boolean =>
  value === null || (isObject(value) && isWhole(value['bytes'], 0, Number.MAX_SAFE_INTEGER) && isText(value['sha256']));

const isListOfTexts = (value: unknown): boolean => Array.isArray(value) && value.length > 0 && value.every(isText);

/** The endpoint reads the rest; here, only that it can be told from others and has a port. */
const isDatabase = (value: unknown): boolean =>
  isObject(value) && isText(value['name']) && isText(value['uid']) && isWhole(value['port'], 1, 65_535);

const DIRECTIVES: Check = ['a list of lists of texts', (value) => Array.isArray(value) && value.every(isListOfTexts)];

const CHECKS: { [O in AgentOperation]: Record<string, Check> } = {
  create_node: {
    id: NODE,
    database: TEXT,
    databaseUid: TEXT,
    port: PORT,
    tls: FLAG,
    directives: DIRECTIVES,
    aclFile: TEXT,
    adminPassword: TEXT,
    nodesConf: TEXT,
    seeded: ['true, false or nothing', (value) => value === undefined || typeof value === 'boolean'],
  },
  seed_node: {
    id: NODE,
    what: ['rdb or log', (value) => value === 'rdb' || value === 'log'],
    offset: OFFSET,
    data: TEXT,
    end: ['an end', isEnd],
  },
  replay_seed: { id: NODE },
  list_append_log: { id: NODE, from: OFFSET, isLong: FLAG },
  read_append_log: { id: NODE, file: TEXT, offset: OFFSET },
  drop_append_log: { id: NODE },
  fork_room: { id: NODE },
  configure_node: { id: NODE, pid: PROCESS, directives: DIRECTIVES },
  write_users: { id: NODE, aclFile: TEXT },
  start_node: {
    id: NODE,
    as: ['how to start', isStartAs],
    after: ['a time', (value) => value === undefined || Number.isFinite(value)],
  },
  stop_node: { id: NODE, pid: PROCESS, graceMs: GRACE },
  replace_primary: {
    id: NODE,
    by: NODE,
    mode: ['force or takeover', (value) => value === 'force' || value === 'takeover'],
  },
  cut_log: { id: NODE },
  set_data_aside: { id: NODE },
  remove_node: { id: NODE, databaseUid: TEXT },
  free_ports: {
    count: [`1 to ${MOST_PORTS}`, (value) => isWhole(value, 1, MOST_PORTS)],
    avoid: ['a list of ports', (value) => Array.isArray(value) && value.every(Number.isInteger)],
  },
  taken_ports: {
    ports: [
      `at most ${MOST_PORTS} ports`,
      (value) => Array.isArray(value) && value.length <= MOST_PORTS && value.every((port) => isWhole(port, 1, 65_535)),
    ],
  },
  serve_endpoint: { databases: ['a list of databases', (value) => Array.isArray(value) && value.every(isDatabase)] },
  nudge_endpoint: { database: TEXT },
  pace_endpoint: {
    database: TEXT,
    slots: ['slot ranges', (value) => Array.isArray(value) && value.every(isSlotRange)],
    bytesPerSecond: [
      'null or a number above 0',
      (value) => value === null || (Number.isFinite(value) && Number(value) > 0),
    ],
  },
  endpoint_waited: { database: TEXT, node: TEXT },
  replace_endpoint: { drainMs: [`0 to ${LONGEST_DRAIN_MS} ms`, (value) => isWhole(value, 0, LONGEST_DRAIN_MS)] },
  forget_failover: { id: TEXT, version: ['a whole number', Number.isInteger] },
  set_voters: {
    version: ['a version', (value) => isWhole(value, 0, Number.MAX_SAFE_INTEGER)],
    voters: ['a list of voters', (value) => Array.isArray(value) && value.every(isVoter)],
  },
  guard_databases: {
    databases: ['a list of databases', (value) => Array.isArray(value) && value.every(isGuardedDatabase)],
  },
  read_log: {
    id: ['a node id or null', (value) => value === null || NODE[1](value)],
    lines: [`1 to ${MOST_LINES}`, (value) => isWhole(value, 1, MOST_LINES)],
  },
  shut_down: { graceMs: GRACE },
};

/** Refuses what no control plane of this version sends. @throws unknown_operation, invalid_value */
export function checkArgs(operation: string, args: unknown): void {
  if (!Object.hasOwn(CHECKS, operation)) throw new ValkeeperError('unknown_operation', { operation });
  for (const [name, [wanted, holds]] of Object.entries(CHECKS[operation as AgentOperation])) {
    if (isObject(args) && holds(args[name])) continue;
    const remedy = 'Agent and control plane must be of the same version.';
    throw new ValkeeperError('invalid_value', { field: `${operation}.${name}`, problem: `must be ${wanted}`, remedy });
  }
}
