import { type AddCommand, action, example } from '../action.ts';

interface Options {
  isOff?: true;
  loseData?: true;
}

/** `machine remove`: out of the fleet; without nodes, or because a person says that it is off for good. */
export const addMachineRemove: AddCommand = (machine, host) => {
  machine
    .command('remove')
    .argument('<name>', 'the machine')
    .description('take a machine out of the fleet: one without nodes, or one that is off for good')
    .option('--is-off', 'you say: it is off for good; what it has is given up, and nobody waits for its vote')
    .option('--lose-data', 'even if there is no copy elsewhere of some of what it has')
    .addHelpText('after', example('valkeeper machine remove machine-2', 'valkeeper machine remove machine-2 --is-off'))
    .action(
      action<Options>(host, async (cli, { isOff, loseData }, name) => {
        const wish = { ...(isOff ? { isOff } : {}), ...(loseData ? { loseData } : {}) };
        const removed = await cli.client.removeMachine(name!, wish);
        cli.print(removed, () => `${name} is no longer part of the fleet.`);
      }),
    );
};
