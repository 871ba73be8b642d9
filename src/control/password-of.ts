/** Passwords for clients, as the record has them. */
import type { Database } from '../domain/database.ts';
import { ValkeeperError } from '../domain/errors.ts';
import type { PasswordDocument } from '../protocol/api.ts';

/** Of `default`, or of a user of the spec. @throws user_not_found */
export function passwordOf({ name, spec, secrets }: Database, user: string): PasswordDocument {
  if (user === 'default') return { user, password: secrets.password };
  const names = spec.users.map((one) => one.name);
  if (!names.includes(user)) {
    throw new ValkeeperError('user_not_found', { name, user, users: ['default', ...names].join(', ') });
  }
  return { user, password: secrets.users[user]! };
}
