/** The systemd units of a server and of an agent. Pure: from what is wished to the text. */

/** The processes that can be services. */
export const ROLES = ['server', 'agent'] as const;
export type Role = (typeof ROLES)[number];

export interface UnitWish {
  role: Role;
  /** The program and its first words, such as Node and our file. */
  program: readonly string[];
  dataDir: string;
  configFile: string;
  /** The `valkey-server` to use; null: it is searched for at each start. */
  enginePath: string | null;
  /** Whom the processes run as; null: root. */
  user: string | null;
}

/** Where services keep their data unless another directory is named. */
export const SERVICE_DATA_DIR = '/var/lib/valkeeper';
/** By its first line a unit is known to be ours. */
export const MARK = '# Written by `valkeeper service install`.';

/** More than the connections of an endpoint with several full databases. */
const OPEN_FILES = 262_144;
/** The exit code of what is wrong with options or the configuration: to start again would not mend it. */
const EXIT_INVALID = 2;

/** Name of the unit, as systemctl takes it. */
export const unitName = (role: Role): string => `valkeeper-${role}.service`;

const ABOUT: Record<Role, string> = { server: 'control plane', agent: 'agent of this machine' };

const KILL: Record<Role, string> = {
  server: `# SIGQUIT ends the server alone; SIGTERM would stop every node of a server that has no others beside it.
# Databases go on without it. Agents of local machines, if it has any, are its children and stay, too.
KillSignal=SIGQUIT
KillMode=process`,
  agent: `# Nodes and the endpoint are children of the agent and lie in this unit's control group. "process" ends the agent
# only: they go on and are found again by the next one. With the default, each restart would end every node at once.
# So \`systemctl stop\` leaves nodes running, and a start tells of "left-over processes": that is as it should be.
# They share the unit's limits; none is set on memory, because that of a machine is divided by Valkeeper itself.
# Delegate= is not needed: the agent makes no control groups of its own.
KillMode=process`,
};

/** Text of the unit file. */
export function unitText(wish: UnitWish): string {
  const { role, user, dataDir, configFile, program, enginePath } = wish;
  const command = [...program, role, '--config', configFile, '--data-dir', dataDir].map(quoted).join(' ');
  return `${MARK} Changes by hand belong into ${unitName(role)}.d/*.conf (\`systemctl edit\`).
[Unit]
Description=Valkeeper: ${ABOUT[role]}
Wants=network-online.target
After=network-online.target time-sync.target${role === 'agent' ? ` ${unitName('server')}` : ''}
# What ended is started again after 2 s, for as long as it takes: what it waits for, such as a disk, may come. Only what
# starts it more often than that is stopped by this limit.
StartLimitIntervalSec=60
StartLimitBurst=40

[Service]
Type=exec
ExecStart=${command}
WorkingDirectory=${path(dataDir)}
${user === null ? '# No User=: it runs as root.\n' : `User=${user}\n`}${stateDirectory(dataDir)}${
  enginePath === null ? '' : `Environment=${quoted(`VALKEEPER_ENGINE=${enginePath}`)}\n`
}Restart=always
RestartSec=2
# What is wrong with the configuration does not mend itself.
RestartPreventExitStatus=${EXIT_INVALID}
TimeoutStopSec=30

${KILL[role]}

# When memory runs out, the kernel is to take others first. Nodes inherit this from their agent; among equals it takes
# the largest, so a node goes before the agent and the endpoint that bring its data back.
OOMScoreAdjust=-500
# One process that was taken does not stop the others.
OOMPolicy=continue
# Each connection is an open file; each node has threads.
LimitNOFILE=${OPEN_FILES}
TasksMax=infinity
NoNewPrivileges=yes

[Install]
WantedBy=multi-user.target
`;
}

/** Below /var/lib systemd makes it and gives it to the user; elsewhere it must be there. */
function stateDirectory(dataDir: string): string {
  const below = /^\/var\/lib\/([\w./-]+)$/.exec(dataDir)?.[1];
  return below === undefined ? '' : `StateDirectory=${below}\nStateDirectoryMode=0700\n`;
}

/** A word of a command line or an assignment, as systemd reads it. */
const quoted = (word: string): string => {
  const escaped = word.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%').replaceAll('$', '$$$$');
  return /^[\w@%+=:,./-]+$/.test(word) ? escaped : `"${escaped}"`;
};

/** A path that is a value of its own takes no quotes. */
const path = (text: string): string => text.replaceAll('%', '%%');
