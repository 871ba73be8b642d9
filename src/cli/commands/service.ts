import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { ValkeeperError } from '../../domain/errors.ts';
import { type AddCommand, action, example } from '../action.ts';
import type { Cli } from '../cli.ts';
import { choice } from '../options.ts';
import { removeUnit, unitPath, unitState, userOf, writeConfig, writeUnit } from '../service-files.ts';
import { ROLES, type Role, SERVICE_DATA_DIR, unitName, unitText } from '../service-unit.ts';
import { systemctl } from '../systemctl.ts';

interface UnitOptions {
  root: string;
  config?: string;
  user?: string;
}

interface ChangeOptions extends UnitOptions {
  now?: boolean;
  force?: boolean;
}

const USER_NAME = /^[a-z_][a-z0-9_-]{0,31}$/;

/** A command that is about the unit of one process. */
const about = (service: Command, name: string, description: string): Command =>
  service
    .command(name)
    .description(description)
    .argument('<process>', ROLES.join(' or '), choice('process', ROLES))
    .option('--root <dir>', 'the root that is written below', '/');

const wishOptions = (command: Command): Command =>
  command
    .option('--config <file>', 'its configuration file (default: /etc/valkeeper/<process>.yaml)')
    .option('--user <name>', 'whom it runs as (default: root)');

/** `service install`, `service uninstall`, `service show`: systemd units for a server or an agent. */
export const addService: AddCommand = (service, host) => {
  wishOptions(about(service, 'install', 'write the systemd unit, and a configuration file if there is none'))
    .option('--now', 'enable and start it, too')
    .option('--force', 'replace a different unit')
    .addHelpText('after', example('valkeeper service install agent', 'valkeeper service install server --now'))
    .action(action<ChangeOptions>(host, (cli, options, role) => install(cli, options, role as Role, service.parent!)));
  about(service, 'uninstall', 'remove the systemd unit; data and configuration stay')
    .option('--now', 'stop it first')
    .option('--force', 'remove one that was not written by `service install`, too')
    .addHelpText('after', example('valkeeper service uninstall agent --now'))
    .action(action<ChangeOptions>(host, async (cli, options, role) => uninstall(cli, options, role as Role)));
  wishOptions(about(service, 'show', 'print the systemd unit that would be written'))
    .addHelpText('after', example('valkeeper service show agent'))
    .action(action<UnitOptions>(host, (cli, options, role) => show(cli, options, role as Role)));
};

async function unitFor(cli: Cli, { root, config, user }: UnitOptions, role: Role) {
  if (user !== undefined && !USER_NAME.test(user)) {
    const remedy = 'Name one that `useradd` takes, such as --user valkeeper.';
    throw new ValkeeperError('invalid_value', { field: '--user', problem: `${user} is not a name of a user`, remedy });
  }
  const isElsewhere = cli.dataDir !== resolve(cli.host.defaultDataDir);
  const dataDir = isElsewhere ? cli.dataDir : SERVICE_DATA_DIR;
  const configFile = resolve(config ?? join('/etc/valkeeper', `${role}.yaml`));
  // What lies on this host says nothing of another root.
  const engine = resolve(root) === '/' ? await cli.host.engine(dataDir).catch(() => null) : null;
  const enginePath = engine?.serverPath ?? null;
  const text = unitText({ role, program: cli.host.program, dataDir, configFile, enginePath, user: user ?? null });
  return { path: unitPath(resolve(root), role), text, dataDir, configFile };
}

async function show(cli: Cli, options: UnitOptions, role: Role): Promise<void> {
  const { path, text } = await unitFor(cli, options, role);
  const installed = unitState(path, text);
  cli.print({ path, installed, text }, () => text.trimEnd());
  cli.note(
    `At ${path}: ${installed === 'absent' ? 'nothing yet' : `${installed === 'same' ? 'this' : 'another'} one`}.`,
  );
}

async function install(cli: Cli, options: ChangeOptions, role: Role, program: Command): Promise<void> {
  const root = resolve(options.root);
  refuseNowElsewhere(root, options);
  const { path, text, dataDir, configFile } = await unitFor(cli, options, role);
  const written = await writeUnit(path, text, role, options.force ?? false);
  const owner = options.user === undefined ? null : userOf(root, options.user);
  const { configExample } = await import('../config-example.ts'); // with a YAML parser
  const command = program.commands.find((one) => one.name() === role)!;
  const configPath = join(root, configFile);
  const configWritten = writeConfig(configPath, `${configExample(command)}\n`, owner);
  const unit = unitName(role);
  const steps = [
    ...(options.user !== undefined && owner === null
      ? [`useradd --system --home-dir ${dataDir} --shell /usr/sbin/nologin ${options.user}`]
      : []),
    ...(dataDir.startsWith('/var/lib/') ? [] : [`install -d -m 700 -o ${options.user ?? 'root'} ${dataDir}`]),
    ...(configWritten ? [`\${EDITOR:-vi} ${configFile}`] : []),
    'systemctl daemon-reload',
    `systemctl enable --now ${unit}`,
  ];
  if (options.now) {
    systemctl(['daemon-reload'], unit);
    systemctl(['enable', '--now', unit], unit);
  }
  const next = options.now ? [] : steps;
  cli.print({ path, written, config: configPath, configWritten, started: options.now ?? false, next }, () =>
    [
      `${path} ${written ? 'was written' : 'is as it should be'}.`,
      `${configPath} ${configWritten ? 'was written: every option is in it, commented out' : 'was there and stays as it is'}.`,
      ...(options.now ? [`${unit} is enabled and runs.`] : ['Next:', ...next.map((step) => `  ${step}`)]),
    ].join('\n'),
  );
}

function uninstall(cli: Cli, options: ChangeOptions, role: Role): void {
  const root = resolve(options.root);
  refuseNowElsewhere(root, options);
  const path = unitPath(root, role);
  const unit = unitName(role);
  if (options.now) systemctl(['disable', '--now', unit], unit);
  const removed = removeUnit(path, role, options.force ?? false);
  if (options.now) systemctl(['daemon-reload'], unit);
  const next = options.now || !removed ? [] : [`systemctl stop ${unit}`, 'systemctl daemon-reload'];
  cli.print({ path, removed, next }, () =>
    [
      removed ? `${path} was removed; data and configuration stay.` : `There is no ${path}.`,
      ...(next.length > 0 ? ['Next:', ...next.map((step) => `  ${step}`)] : []),
    ].join('\n'),
  );
}

function refuseNowElsewhere(root: string, { now }: ChangeOptions): void {
  if (root === '/' || !now) return;
  const remedy = 'Leave out --now, or --root.';
  throw new ValkeeperError('invalid_value', { field: '--now', problem: `nothing runs below ${root}`, remedy });
}
