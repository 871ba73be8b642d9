/** Bearer tokens in `Authorization` headers. */
import { createHash, timingSafeEqual } from 'node:crypto';

/** Whether the header carries the token. Compares digests, which have one length: the time taken tells nothing. */
export function carriesToken(header: string | undefined, token: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(header ?? ''), digest(`Bearer ${token}`));
}
