import { isWitness } from '../../domain/machine.ts';
import { formatSize } from '../../domain/size.ts';
import type { MachineStatus } from '../../protocol/api.ts';
import { type AddCommand, action, example } from '../action.ts';
import { table } from '../table.ts';

/** `machine list`: the machines, whether their agents are connected, and what they carry. */
export const addMachineList: AddCommand = (machine, host) => {
  machine
    .command('list')
    .description('list the machines')
    .addHelpText('after', example('valkeeper machine list'))
    .action(
      action(host, async (cli) => {
        const list = await cli.client.machines();
        cli.print(list, () => describeMachines(list.machines));
      }),
    );
};

/** A line for each machine. */
export const describeMachines = (machines: readonly MachineStatus[]): string =>
  table(
    ['MACHINE', 'ADDRESS', 'ZONE', 'STATE', 'AGENT', 'NODES', 'MEMORY', 'RESERVED', 'ENDPOINT'],
    machines.map(({ name, address, zone, state, connected, nodes, memoryBytes, reservedBytes, endpoint }) => [
      name,
      address,
      zone,
      state,
      connected ? 'connected' : 'away',
      `${nodes}`,
      ...(isWitness({ memoryBytes })
        ? ['witness', '', 'none']
        : [formatSize(memoryBytes), formatSize(reservedBytes), describeEndpoint(endpoint)]),
    ]),
  );

/** What its endpoint does, in a few words. */
export function describeEndpoint(endpoint: MachineStatus['endpoint']): string {
  if (endpoint === null) return 'unknown';
  if (endpoint.problem !== null) return endpoint.problem;
  return endpoint.pid === null ? 'none needed' : `serves ${endpoint.serves.join(', ') || 'none'}`;
}
