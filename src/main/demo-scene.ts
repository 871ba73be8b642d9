/** The scene of a demo: what its acts see of the fleet, and may do to it. */
import type { Cli } from '../cli/cli.ts';
import type { Restored, Scene } from '../demo/scene.ts';
import { killIn } from './demo-fleet.ts';
import { MachinePower, nodeFolders } from './machine-power.ts';

/** The scene of one database on the fleet in the data directory. */
export function sceneOf(
  { client, dataDir }: Cli,
  database: string,
  stage: Pick<Scene, 'password' | 'signal' | 'say' | 'phase'>,
): Scene {
  const power = new MachinePower(dataDir);
  return {
    ...stage,
    show: () => client.database(database),
    failovers: async () => (await client.failovers(database)).failovers,
    reshard: async (shards) => void (await client.update(database, { shards })),
    backUp: () => client.createBackup(database, {}),
    backup: (id) => client.backup(id),
    restore: (id, shards) => restore(client, `${database}-restored`, id, shards),
    machine: (name) => client.machine(name),
    kill: ({ pid }) => killIn(dataDir, pid),
    cutPower: (machine) => power.cut(machine),
    restorePower: (machine) => power.restore(machine),
    nodeFolders: (machine) => nodeFolders(dataDir, machine),
  };
}

async function restore(client: Cli['client'], name: string, from: string, shards: number): Promise<Restored> {
  await client.restore({ name, from, spec: { shards } });
  const { password } = await client.password(name);
  return {
    ...{ name, password },
    show: () => client.database(name),
    remove: async () => void (await client.delete(name)),
    isThere: async () => (await client.databases()).databases.some((one) => one.name === name),
  };
}
