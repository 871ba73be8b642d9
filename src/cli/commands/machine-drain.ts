import type { MachineStatus } from '../../protocol/api.ts';
import { type AddCommand, action, example } from '../action.ts';
import { integer } from '../options.ts';
import { waitUntil } from '../wait.ts';

interface Options {
  wait: boolean;
  timeout: number;
}

/** `machine drain`: its nodes move away; copies first, primaries then, and what is left goes last. */
export const addMachineDrain: AddCommand = (machine, host) => {
  machine
    .command('drain')
    .argument('<name>', 'the machine')
    .description('empty a machine: new copies elsewhere first, then its primaries, then what is left is removed')
    .option('--no-wait', 'return as soon as the wish is stored')
    .option('--timeout <seconds>', 'how long to wait', integer('--timeout', { min: 1, max: 604_800 }), 3_600)
    .addHelpText('after', example('valkeeper machine drain machine-2'))
    .action(
      action<Options>(host, async (cli, { wait, timeout }, name) => {
        const wished = await cli.client.drain(name!);
        if (!wait) return cli.print(wished, () => `${name} is being emptied: ${nodesLeft(wished)}.`);
        const progress = cli.progress();
        const last = await waitUntil({
          poll: () => cli.client.machine(name!),
          missing: (seen) => {
            if (seen.state !== 'draining') return null;
            return seen.nodes === 0 ? null : nodesLeft(seen);
          },
          timeoutMs: timeout * 1_000,
          progress,
          what: `${name} was not empty`,
          command: `valkeeper machine show ${name}`,
        }).finally(() => progress.end());
        cli.print(last, () =>
          last.nodes === 0
            ? `${name} is empty. Take it out with \`valkeeper machine remove ${name}\`, or \`valkeeper machine resume ${name}\`.`
            : `${name} is not emptied any more: it was resumed, with ${nodesLeft(last)}.`,
        );
      }),
    );
};

/** `machine resume`: it takes nodes again. */
export const addMachineResume: AddCommand = (machine, host) => {
  machine
    .command('resume')
    .argument('<name>', 'the machine')
    .description('let a machine take nodes again; ends a drain, and what has not moved away stays')
    .addHelpText('after', example('valkeeper machine resume machine-2'))
    .action(
      action(host, async (cli, _options, name) => {
        const resumed = await cli.client.resume(name!);
        cli.print(resumed, () => `${name} takes nodes again.`);
      }),
    );
};

const nodesLeft = ({ nodes }: MachineStatus): string => `${nodes} ${nodes === 1 ? 'node' : 'nodes'} left on it`;
