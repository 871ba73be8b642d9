import { type AddCommand, action, example } from '../action.ts';

/** `machine remove`: out of the fleet; only without nodes. */
export const addMachineRemove: AddCommand = (machine, host) => {
  machine
    .command('remove')
    .argument('<name>', 'the machine')
    .description('take a machine without nodes out of the fleet; its agent is not let in any more')
    .addHelpText('after', example('valkeeper machine remove machine-2'))
    .action(
      action(host, async (cli, _options, name) => {
        const removed = await cli.client.removeMachine(name!);
        cli.print(removed, () => `${name} is no longer part of the fleet.`);
      }),
    );
};
