/** Whether the engine would let a client's user do what the endpoint does itself, and so no node checks. */
import { ReplyError } from '../resp/reply.ts';
import type { Client } from './client.ts';
import { ask } from './gather.ts';

/** The error for a user who may not; null for one who may. */
export async function refusalFor(client: Client, ...command: string[]): Promise<ReplyError | null> {
  const said = await ask(client, 0, ['ACL', 'DRYRUN', client.session.user, ...command], client.home.adminLane);
  if (said instanceof ReplyError) return said;
  const text = String(said);
  return text === 'OK' ? null : new ReplyError(`NOPERM ${text}`);
}
