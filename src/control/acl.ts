/** The users of a database's nodes: the ACL file, its mark, and the passwords in it. */
import { createHash, randomBytes } from 'node:crypto';
import { ACL_MARK_PREFIX, ADMIN_USER, type Database, type Secrets } from '../domain/database.ts';
import { isLoading } from '../domain/restore.ts';
import type { UserSpec } from '../domain/spec.ts';

/** Commands with which an app could pull its own database out from under Valkeeper. */
const FORBIDDEN_TO_APPS = [
  ...['acl|setuser', 'acl|deluser', 'acl|load', 'acl|save', 'config|set', 'config|rewrite'],
  // It tells the password with which nodes copy each other. The endpoint answers it without.
  'config|get',
  ...['replicaof', 'slaveof', 'failover', 'shutdown', 'debug', 'module', 'psync', 'sync', 'replconf'],
  ...['save', 'bgsave', 'bgrewriteaof'],
  ...['cluster|addslots', 'cluster|addslotsrange', 'cluster|delslots', 'cluster|delslotsrange', 'cluster|flushslots'],
  ...['cluster|setslot', 'cluster|migrateslots', 'cluster|cancelslotmigrations', 'cluster|bumpepoch', 'cluster|meet'],
  ...['cluster|set-config-epoch', 'cluster|forget', 'cluster|replicate', 'cluster|failover', 'cluster|reset'],
  ...['cluster|saveconfig', 'cluster|syncslots', 'cluster|flushslot'],
];

const FORBIDDEN = FORBIDDEN_TO_APPS.map((command) => `-${command}`).join(' ');
const MARK_LENGTH = 16;

/** In hexadecimal, as the engine and the endpoint know passwords. */
export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** 192 bits, in characters that need no quoting in a shell or a URL. */
export const newPassword = (): string => randomBytes(24).toString('base64url');

/** The passwords of the users of a spec: a user that was there keeps its own. */
export const userPasswords = (users: readonly UserSpec[], present: Secrets['users'] = {}): Secrets['users'] =>
  Object.fromEntries(users.map(({ name }) => [name, present[name] ?? newPassword()]));

type WithUsers = Pick<Database, 'spec' | 'secrets' | 'restore'>;

/** The words of a user's rules with what no app may do behind them. */
export const rulesOf = ({ rules }: UserSpec): string => `${rules.split(/\s+/).filter(Boolean).join(' ')} ${FORBIDDEN}`;

/** `default` and the users of the spec for apps, `valkeeper` for Valkeeper and replication. Passwords are written as their hashes. */
function userLines({ spec, secrets, restore }: WithUsers): string[] {
  const admin = `user ${ADMIN_USER} on #${sha256(secrets.adminPassword)} ~* &* alldbs +@all`;
  // Half of a backup is no database: nobody is let in before all of it is there.
  if (isLoading({ restore })) return ['user default off resetpass nocommands', admin];
  const secret = secrets.password === null ? 'nopass' : `#${sha256(secrets.password)}`;
  // The endpoint says it behind their writes, as them.
  const wait = spec.durability === 'acknowledged' ? ' +wait' : '';
  return [
    `user default on ${secret} ~* &* alldbs +@all ${FORBIDDEN}`,
    admin,
    ...spec.users.map((user) => `user ${user.name} on #${sha256(secrets.users[user.name]!)} ${rulesOf(user)}${wait}`),
  ];
}

/** The mark of the ACL file that the nodes of this database are to have. */
export const aclMark = (database: WithUsers): string => sha256(userLines(database).join('\n')).slice(0, MARK_LENGTH);

/** The text of the ACL file, the user that carries its mark included. */
export const aclFile = (database: WithUsers): string =>
  [...userLines(database), `user ${ACL_MARK_PREFIX}${aclMark(database)} off resetchannels -@all`, ''].join('\n');
