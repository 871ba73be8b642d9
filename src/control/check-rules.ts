/** Whether the engine takes the rules of users, tried out before they are wished for: a mistake would keep nodes from starting. */
import { randomBytes } from 'node:crypto';
import { ADMIN_USER, type Database } from '../domain/database.ts';
import { ValkeeperError } from '../domain/errors.ts';
import type { UserSpec } from '../domain/spec.ts';
import { rulesMistake } from '../valkey/admin.ts';
import { EngineUnreachable } from '../valkey/connection.ts';
import type { Engines } from '../valkey/engines.ts';
import { rulesOf } from './acl.ts';

/** Nodes that are asked before it is left to the start of the new ones. */
const MOST_ASKED = 4;

/**
 * Asks any node of any database; with none there, nobody can say.
 * @throws bad_rules
 */
export async function checkRules(
  engines: Engines,
  databases: readonly Database[],
  users: readonly UserSpec[],
): Promise<void> {
  if (users.length === 0) return;
  const nodes = databases.flatMap((database) => database.nodes.map((node) => ({ database, node })));
  const trial = `${ADMIN_USER}:trial:${randomBytes(6).toString('hex')}`;
  for (const { database, node } of nodes.slice(0, MOST_ASKED)) {
    try {
      for (const user of users) {
        const problem = await rulesMistake(
          engines.connection(database.secrets.adminPassword, node),
          trial,
          rulesOf(user),
        );
        if (problem) throw new ValkeeperError('bad_rules', { user: user.name, problem });
      }
      return;
    } catch (error) {
      if (!(error instanceof EngineUnreachable)) throw error;
    }
  }
}
