/** Changes of what somebody looked at: an ETag names a generation of a spec, If-Match asks for it. */
import { ValkeeperError } from '../domain/errors.ts';

interface Specified {
  name: string;
  generation: number;
}

/** The ETag of a database's spec, quotes included. */
export const etagOf = ({ generation }: Pick<Specified, 'generation'>): string => `"${generation}"`;

/**
 * Goes on when the request has no If-Match, or one that names the database's present generation.
 * @param database the record that is about to be changed, so that nothing comes between the check and the change
 * @throws generation_changed (HTTP 412)
 */
export function requireMatch(request: { headers: { 'if-match'?: string | undefined } }, database: Specified): void {
  const wanted = request.headers['if-match'];
  if (wanted === undefined || wanted.trim() === '*') return;
  const tags = wanted.split(',').map((tag) => tag.trim());
  if (tags.includes(etagOf(database))) return;
  const { name, generation } = database;
  throw new ValkeeperError('generation_changed', { name, generation, wanted });
}
