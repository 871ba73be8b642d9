/** A large fleet on paper: machines with addresses of their own, and databases spread over them as one real one is made. */

import { randomBytes } from 'node:crypto';
import { BUS_PORT_OFFSET, type Database, type NodeAssignment } from '../../src/domain/database.ts';
import type { NodeId } from '../../src/domain/ids.ts';
import { WHOLE_FILES } from '../../src/domain/view.ts';
import { wantedSettings } from '../../src/plan/settings.ts';
import type { NodeReport } from '../../src/protocol/agent-messages.ts';
import { encodeReply } from '../../src/resp/encode-reply.ts';
import type { Reply } from '../../src/resp/reply.ts';
import type { TemplateDatabase } from './template-database.ts';

const ZONES = 5;
const MACHINES_A_BLOCK = 100;
const FIRST_NODE_PORT = 7000;
const FIRST_ENDPOINT_PORT = 6400;

export interface SimulatedNode {
  host: string;
  port: number;
  report: NodeReport;
  /** What it answers, as bytes, by command. */
  answers: ReadonlyMap<string, Buffer>;
}

export interface SimulatedMachine {
  name: string;
  address: string;
  zone: string;
  nodes: SimulatedNode[];
}

export interface SimulatedFleet {
  machines: SimulatedMachine[];
  databases: Database[];
}

/** Databases like the template, each on machines of its own choice, as many nodes on every machine. */
export function simulatedFleet(
  template: TemplateDatabase,
  machineCount: number,
  databaseCount: number,
): SimulatedFleet {
  const machines = Array.from({ length: machineCount }, (_, index): SimulatedMachine => {
    const [block, place] = [Math.floor(index / MACHINES_A_BLOCK), index % MACHINES_A_BLOCK];
    return {
      name: `machine-${index + 1}`,
      address: `127.65.${block}.${place + 1}`,
      zone: `zone-${index % ZONES}`,
      nodes: [],
    };
  });
  let given = 0;
  const databases = Array.from({ length: databaseCount }, (_, index): Database => {
    const { record } = template;
    const twins = new Map<NodeId, NodeAssignment>();
    for (const node of record.nodes) {
      const machine = machines[given % machineCount]!;
      given += 1;
      const port = FIRST_NODE_PORT + machine.nodes.length;
      const id = randomBytes(20).toString('hex');
      twins.set(node.id, { ...node, id, machine: machine.name, host: machine.address, port });
    }
    const database: Database = {
      ...record,
      name: `database-${index + 1}`,
      uid: `${record.uid.slice(0, -4)}${String(index).padStart(4, '0')}`,
      spec: { ...record.spec, port: FIRST_ENDPOINT_PORT + index },
      nodes: [...twins.values()],
    };
    for (const original of record.nodes) {
      const twin = twins.get(original.id)!;
      const machine = machines.find(({ name }) => name === twin.machine)!;
      machine.nodes.push(simulatedNode(template, database, twins, original));
    }
    return database;
  });
  return { machines, databases };
}

function simulatedNode(
  { answers, record }: TemplateDatabase,
  { name, uid, spec, aclMark }: Database,
  twins: ReadonlyMap<NodeId, NodeAssignment>,
  original: NodeAssignment,
): SimulatedNode {
  const { id, host, port, birth } = twins.get(original.id)!;
  const renamed = renaming(record.nodes, twins);
  const primaryId = record.nodes.find((node) => node.shard === original.shard && node.birth.role === 'primary')!.id;
  const claim = {
    role: birth.role,
    primaryId: birth.role === 'primary' ? null : twins.get(primaryId)!.id,
    slots: birth.role === 'primary' ? birth.slots : [],
    configEpoch: 1,
  };
  const disk = { hasData: true, dataAt: 0, claim, ...WHOLE_FILES, settings: wantedSettings(spec), aclMark };
  const process = { state: 'running', pid: port } as const;
  return {
    ...{ host, port },
    report: { id, database: name, databaseUid: uid, port, process, pulse: { state: 'well', since: 0 }, disk },
    answers: new Map(
      [...answers.get(original.id)!].map(([command, reply]) => [command, encodeReply(renamed(reply), 2)]),
    ),
  };
}

/** Ids and addresses of the template's nodes by those of their twins, wherever an answer names them. */
function renaming(originals: readonly NodeAssignment[], twins: ReadonlyMap<NodeId, NodeAssignment>) {
  const pairs = originals.flatMap(({ id, host, port }): [string, string][] => {
    const twin = twins.get(id)!;
    return [
      [id, twin.id],
      [`${host}:${port}@${port + BUS_PORT_OFFSET}`, `${twin.host}:${twin.port}@${twin.port + BUS_PORT_OFFSET}`],
      [`ip=${host},port=${port},`, `ip=${twin.host},port=${twin.port},`],
      [`master_host:${host}\r\nmaster_port:${port}\r\n`, `master_host:${twin.host}\r\nmaster_port:${twin.port}\r\n`],
    ];
  });
  const texts = new Map(pairs);
  const anyOf = new RegExp([...texts.keys()].map((text) => text.replaceAll('.', '\\.')).join('|'), 'g');
  const renamed = (reply: Reply): Reply => {
    if (typeof reply === 'string') return reply.replace(anyOf, (found) => texts.get(found)!);
    return Array.isArray(reply) ? reply.map(renamed) : reply;
  };
  return renamed;
}
