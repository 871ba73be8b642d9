/** Reading what an agent says. It is a machine of the fleet, but what it sends must not bring the control plane down. */
import { isName } from '../domain/ids.ts';
import { AGENT_PROTOCOL, type FromAgent } from '../protocol/agent-messages.ts';

type Loose = Record<string, unknown>;

/** The message; null when it is none. */
export function readFromAgent(text: string): FromAgent | null {
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    return null;
  }
  return isObject(message) && isMessage(message) ? (message as unknown as FromAgent) : null;
}

function isMessage(message: Loose): boolean {
  switch (message['type']) {
    case 'hello':
      return isHello(message);
    case 'node':
      return isReport(message['node']);
    case 'node-removed':
      return typeof message['id'] === 'string';
    case 'endpoint':
      return isEndpoint(message['endpoint']);
    case 'certificate':
      return isCertificate(message['certificate']);
    case 'disk':
      return isDisk(message['disk']);
    case 'failover': // the record itself is looked at where it is kept: a wrong one must not cost the connection
      return isObject(message['record']) && typeof message['record']['id'] === 'string' && isCount(message['version']);
    case 'reply':
      return typeof message['id'] === 'number' && ('result' in message || isObject(message['error']));
    default:
      return false;
  }
}

/** Of one of another version only so much is looked at as it takes to turn it away. */
function isHello(hello: Loose): boolean {
  const { protocol, machine, address, zone, memoryBytes, instance, certificate, nodes, endpoint, neighbourPort } =
    hello;
  if (typeof protocol !== 'number' || typeof machine !== 'string' || !isName(machine)) return false;
  if (protocol !== AGENT_PROTOCOL) return true;
  return (
    [address, zone, instance].every((value) => typeof value === 'string') &&
    typeof memoryBytes === 'number' &&
    memoryBytes >= 0 &&
    (certificate === null || isCertificate(certificate)) &&
    Array.isArray(nodes) &&
    nodes.every(isReport) &&
    (endpoint === null || isEndpoint(endpoint)) &&
    (neighbourPort === null || isPort(neighbourPort))
  );
}

const isDisk = (disk: unknown): boolean => isObject(disk) && isCount(disk['freeBytes']) && isCount(disk['totalBytes']);

const isPort = (port: unknown): boolean => Number.isInteger(port) && Number(port) >= 1 && Number(port) <= 65_535;

const isReport = (node: unknown): boolean =>
  isObject(node) &&
  [node['id'], node['database'], node['databaseUid']].every((value) => typeof value === 'string') &&
  typeof node['port'] === 'number' &&
  isObject(node['process']) &&
  isObject(node['disk']) &&
  (node['postponed'] === undefined || isPostponed(node['postponed']));

const isPostponed = (fork: unknown): boolean =>
  isObject(fork) &&
  (fork['kind'] === 'snapshot' || fork['kind'] === 'rewrite') &&
  (fork['reason'] === 'memory' || fork['reason'] === 'turn') &&
  isCount(fork['neededBytes']) &&
  isCount(fork['availableBytes']);

const isEndpoint = (endpoint: unknown): boolean =>
  isObject(endpoint) && Array.isArray(endpoint['databases']) && endpoint['databases'].every(isObject);

const isCertificate = (certificate: unknown): boolean =>
  isObject(certificate) && typeof certificate['serial'] === 'string' && Number.isFinite(certificate['notAfter']);

const isCount = (value: unknown): boolean => Number.isInteger(value) && Number(value) >= 0;

function isObject(value: unknown): value is Loose {
  return typeof value === 'object' && value !== null;
}
