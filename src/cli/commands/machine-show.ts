import { shortId } from '../../domain/ids.ts';
import { isWitness } from '../../domain/machine.ts';
import { formatSize } from '../../domain/size.ts';
import type { DatabaseStatus } from '../../domain/status.ts';
import type { MachineStatus } from '../../protocol/api.ts';
import { type AddCommand, action, example } from '../action.ts';
import { table } from '../table.ts';
import { describeEndpoint } from './machine-list.ts';

/** `machine show`: one machine, and the nodes it has. */
export const addMachineShow: AddCommand = (machine, host) => {
  machine
    .command('show')
    .argument('<name>', 'the machine')
    .description('show a machine with its nodes')
    .addHelpText('after', example('valkeeper machine show machine-1'))
    .action(
      action(host, async (cli, _options, name) => {
        const [shown, { databases }] = await Promise.all([cli.client.machine(name!), cli.client.databases()]);
        const nodes = nodesOn(name!, databases);
        cli.print({ ...shown, nodesHere: nodes }, () => `${describe(shown)}\n\n${describeNodes(nodes)}`);
      }),
    );
};

interface NodeHere {
  node: string;
  database: string;
  shard: string;
  role: 'primary' | 'replica';
  port: number;
  state: string;
}

const nodesOn = (machine: string, databases: readonly DatabaseStatus[]): NodeHere[] =>
  databases.flatMap(({ name, shards }) =>
    shards.flatMap(({ id, primary, replicas }) =>
      [
        ...(primary ? [{ ...primary, role: 'primary' as const }] : []),
        ...replicas.map((one) => ({ ...one, role: 'replica' as const })),
      ]
        .filter((node) => node.machine === machine)
        .map(({ nodeId, port, state, role }) => ({ node: nodeId, database: name, shard: id, role, port, state })),
    ),
  );

function describe({ name, address, zone, state, connected, since, labels, ...rest }: MachineStatus): string {
  const facts = [
    ['address', address],
    ['zone', zone],
    ['state', state],
    ['agent', `${connected ? 'connected' : 'away'} since ${since}`],
    ...(isWitness(rest) ? [['role', 'witness: it votes, and takes no nodes']] : whatNodesGet(rest)),
    ...(rest.certificate ? [['certificate', describeCertificate(rest.certificate)]] : []),
    [
      'labels',
      Object.entries(labels)
        .map(([key, value]) => `${key}=${value}`)
        .join(', ') || 'none',
    ],
  ];
  return [name, ...facts.map(([key, value]) => `  ${key!.padEnd(11)} ${value}`)].join('\n');
}

const whatNodesGet = ({
  memoryBytes,
  reservedBytes,
  endpoint,
  disk,
}: Pick<MachineStatus, 'memoryBytes' | 'reservedBytes' | 'endpoint' | 'disk'>): string[][] => [
  ['memory', `${formatSize(memoryBytes)}, ${formatSize(reservedBytes)} of it reserved`],
  ...(disk ? [['disk', `${formatSize(disk.freeBytes)} of ${formatSize(disk.totalBytes)} free`]] : []),
  ['endpoint', describeEndpoint(endpoint)],
];

const describeCertificate = ({ serial, expiresAt, problem }: NonNullable<MachineStatus['certificate']>): string =>
  `${serial}, valid until ${expiresAt}${problem === null ? '' : `; not renewed: ${problem}`}`;

const describeNodes = (nodes: readonly NodeHere[]): string =>
  nodes.length === 0
    ? 'It has no nodes.'
    : table(
        ['NODE', 'DATABASE', 'SHARD', 'ROLE', 'PORT', 'STATE'],
        nodes.map(({ node, database, shard, role, port, state }) => [
          shortId(node),
          database,
          shard,
          role,
          `${port}`,
          state,
        ]),
      );
