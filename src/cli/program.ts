/** The command tree, and one run of it: from the words typed to an exit code. */
import { Command, type CommanderError } from 'commander';
import { ERROR_KINDS, toErrorDocument, ValkeeperError } from '../domain/errors.ts';
import { type AddCommand, example } from './action.ts';
import type { Host } from './cli.ts';
import { addBackupArchive, addBackupWindow } from './commands/archive.ts';
import {
  addBackupCreate,
  addBackupDelete,
  addBackupList,
  addBackupSchedule,
  addBackupShow,
  addBackupVerify,
} from './commands/backup.ts';
import { addCa } from './commands/ca.ts';
import { addCompletion } from './commands/completion.ts';
import { addConfigExample } from './commands/config-example.ts';
import { addDbApply } from './commands/db-apply.ts';
import { addDbConnect } from './commands/db-connect.ts';
import { addDbCreate } from './commands/db-create.ts';
import { addDbDelete } from './commands/db-delete.ts';
import { addDbExplain } from './commands/db-explain.ts';
import { addDbExport } from './commands/db-export.ts';
import { addDbFailovers } from './commands/db-failovers.ts';
import { addDbHotspots } from './commands/db-hotspots.ts';
import { addDbList } from './commands/db-list.ts';
import { addDbPassword } from './commands/db-password.ts';
import { addDbPlan } from './commands/db-plan.ts';
import { addDbRebalance } from './commands/db-rebalance.ts';
import { addDbReshard } from './commands/db-reshard.ts';
import { addDbRestore } from './commands/db-restore.ts';
import { addDbShow } from './commands/db-show.ts';
import { addDbUpdate } from './commands/db-update.ts';
import { addDbUrl } from './commands/db-url.ts';
import { addDemo } from './commands/demo.ts';
import { addDoctor } from './commands/doctor.ts';
import { addDown } from './commands/down.ts';
import { addEndpointRestart } from './commands/endpoint-restart.ts';
import { addEngine } from './commands/engine.ts';
import { addEvents } from './commands/events.ts';
import { addLogs } from './commands/logs.ts';
import { addMachineDrain, addMachineResume } from './commands/machine-drain.ts';
import { addMachineLabel } from './commands/machine-label.ts';
import { addMachineList } from './commands/machine-list.ts';
import { addMachineRemove } from './commands/machine-remove.ts';
import { addMachineShow } from './commands/machine-show.ts';
import { addMachineToken } from './commands/machine-token.ts';
import { addAgent, addServer } from './commands/processes.ts';
import { addService } from './commands/service.ts';
import { addShardSwitchover } from './commands/shard-switchover.ts';
import { addShardTakeover } from './commands/shard-takeover.ts';
import { addStatus } from './commands/status.ts';
import { addUp } from './commands/up.ts';
import { prepareConfig, takesConfig } from './config.ts';
import { CONFIGURABLE } from './config-keys.ts';
import { usageError } from './usage-errors.ts';

const TOP: AddCommand[] = [addUp, addDown, addStatus, addDemo];
const DATABASE: AddCommand[] = [
  addDbCreate,
  addDbList,
  addDbShow,
  addDbExplain,
  addDbFailovers,
  addDbDelete,
  addDbPassword,
  addDbUrl,
  addDbConnect,
  addDbPlan,
  addDbUpdate,
  addDbReshard,
  addDbRebalance,
  addDbHotspots,
  addDbApply,
  addDbRestore,
  addDbExport,
];
const BACKUP: AddCommand[] = [
  addBackupCreate,
  addBackupList,
  addBackupShow,
  addBackupVerify,
  addBackupDelete,
  addBackupSchedule,
  addBackupArchive,
  addBackupWindow,
];
const MACHINE: AddCommand[] = [
  addMachineList,
  addMachineShow,
  addMachineDrain,
  addMachineResume,
  addMachineRemove,
  addMachineLabel,
  addMachineToken,
];
const REST: AddCommand[] = [addEvents, addLogs, addCa, addEngine, addDoctor, addCompletion, addServer, addAgent];

/** Help was asked for and is the result. */
class HelpShown extends Error {
  readonly text: string;
  constructor(text: string) {
    super('help');
    this.text = text;
  }
}

function createProgram(host: Host): Command {
  const written: string[] = [];
  const program = new Command('valkeeper')
    .description('A sharded, replicated, self-running Redis-compatible database on this machine')
    .version(host.version, '--version', 'print the version')
    .option('--data-dir <dir>', 'where everything lies (or VALKEEPER_HOME)')
    .option('--json', 'exactly one JSON document on stdout')
    .option('--server <url>', 'a server elsewhere, https://HOST:PORT (or VALKEEPER_SERVER)')
    .option('--ca <file>', 'the certificate of its authority, PEM (or VALKEEPER_CA)')
    .option('--api-token-file <file>', 'the token for its API (or VALKEEPER_API_TOKEN_FILE)')
    .helpOption('--help', 'show help')
    .helpCommand(false)
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ writeOut: (text) => void written.push(text), writeErr: () => {}, outputError: () => {} })
    .addHelpText('after', example('valkeeper up', 'valkeeper db create orders --shards 3 --memory 1gb'));
  const add = (parent: Command, commands: AddCommand[]): void => {
    for (const addCommand of commands) addCommand(parent, host);
  };
  const group = (name: string, description: string, words: string, commands: AddCommand[]): void => {
    add(
      program.command(name).description(description).helpCommand(false).addHelpText('after', example(words)),
      commands,
    );
  };
  add(program, TOP);
  group(
    'db',
    'databases: create, list, show, explain, failovers, delete, password, url, connect, plan, update, reshard, apply, restore, export',
    'valkeeper db show main',
    DATABASE,
  );
  group(
    'backup',
    'backups: create, list, show, verify, delete, schedule, archive, window',
    'valkeeper backup create main',
    BACKUP,
  );
  group('shard', 'shards: switchover, takeover', 'valkeeper shard switchover main shard-1', [
    addShardSwitchover,
    addShardTakeover,
  ]);
  group(
    'machine',
    'machines: list, show, drain, resume, remove, label, token',
    'valkeeper machine show machine-1',
    MACHINE,
  );
  group('endpoint', 'endpoints: restart', 'valkeeper endpoint restart', [addEndpointRestart]);
  group('service', 'systemd units: install, uninstall, show', 'valkeeper service install agent', [addService]);
  group('config', 'configuration files: example', 'valkeeper config example server', [addConfigExample]);
  add(program, REST);
  for (const name of CONFIGURABLE) takesConfig(program.commands.find((command) => command.name() === name)!);
  onEachCommand(program, (command) => {
    command.exitOverride((error: CommanderError) => {
      if (error.exitCode === 0) throw new HelpShown(written.join('').trimEnd());
      throw usageError(error, command);
    });
  });
  return program;
}

function onEachCommand(command: Command, visit: (command: Command) => void): void {
  visit(command);
  for (const child of command.commands) onEachCommand(child, visit);
}

/**
 * Runs one command. Errors are printed, never thrown.
 * @param args the words after the program's name
 * @returns the exit code
 */
export async function runCli(args: readonly string[], host: Host): Promise<number> {
  const end = args.indexOf('--');
  const json = args.slice(0, end < 0 ? undefined : end).includes('--json');
  try {
    await prepareConfig(args);
    await createProgram(host).parseAsync(args.length > 0 ? args : ['--help'], { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof HelpShown) {
      host.stdout.write(`${json ? JSON.stringify({ text: error.text }, null, 2) : error.text}\n`);
      return 0;
    }
    return reportError(error, json, host);
  }
}

/** Prints an error the way the command's user reads it and returns the exit code of its kind. */
export function reportError(
  error: unknown,
  json: boolean,
  { stdout, stderr }: Pick<Host, 'stdout' | 'stderr'>,
): number {
  const document = toErrorDocument(error);
  if (json) stdout.write(`${JSON.stringify({ error: document }, null, 2)}\n`);
  else stderr.write(`Error: ${document.message}\n${document.hint}\n`);
  if (!(error instanceof ValkeeperError) && error instanceof Error) stderr.write(`${error.stack}\n`);
  return ERROR_KINDS[document.kind].exit;
}
