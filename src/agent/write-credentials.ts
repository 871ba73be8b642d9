/** Keeping a machine's credentials: two files, each replaced as a whole, which agent, nodes and endpoint read. */
import type { TlsFiles } from '../domain/tls-directives.ts';
import { writeFileAtomic } from '../platform/files.ts';
import { bundleText } from '../trust/bundle.ts';
import type { Credentials } from '../trust/credentials.ts';

/** The authorities first: who reads in between finds its own certificate vouched for. @throws file_unusable */
export async function writeCredentials(
  { identity, authorities }: TlsFiles,
  { key, certificate, bundle }: Credentials,
): Promise<void> {
  await writeFileAtomic(authorities, bundleText(bundle));
  await writeFileAtomic(identity, `${key.trim()}\n${certificate.trim()}\n`);
}
