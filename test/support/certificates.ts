/** Certificates for tests with TLS: an authority, and what it signs, made by openssl in a temporary folder. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../src/engine/run.ts';
import { findOnPath } from '../../src/engine/search-path.ts';
import { install } from '../../src/engine/tools.ts';

const env = process.env;
const DAYS = '2';
/** etcd's gateway is a client of its own server, with the server's certificate. */
const EXTENSIONS = 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n';

/** Paths of files in PEM. */
export interface Certificate {
  cert: string;
  key: string;
}

export interface Authority {
  /** The path of its certificate. */
  ca: string;
  /** A new certificate for 127.0.0.1, for servers and clients. */
  sign(name: string): Promise<Certificate>;
}

/** A new authority with its files in `dir`. @throws Error when there is no openssl, or it fails */
export async function makeAuthority(dir: string, name = 'ca'): Promise<Authority> {
  await ensureOpenssl();
  const file = (owner: string, ending: string): string => join(dir, `${owner}.${ending}`);
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const ca = file(name, 'crt');
  const caKey = file(name, 'key');
  await openssl(['req', '-x509', ...newKey, '-keyout', caKey, '-out', ca, '-days', DAYS, '-subj', `/CN=${name}`]);
  const extensions = file(name, 'ext');
  writeFileSync(extensions, EXTENSIONS);
  return {
    ca,
    sign: async (subject) => {
      const [key, request, cert] = [file(subject, 'key'), file(subject, 'csr'), file(subject, 'crt')];
      await openssl(['req', ...newKey, '-keyout', key, '-out', request, '-subj', `/CN=${subject}`]);
      const signing = ['-CA', ca, '-CAkey', caKey, '-CAcreateserial', '-days', DAYS, '-extfile', extensions];
      await openssl(['x509', '-req', '-in', request, '-out', cert, ...signing]);
      return { cert, key };
    },
  };
}

async function ensureOpenssl(): Promise<void> {
  const missing = async () =>
    findOnPath('openssl', env).length === 0 ? [{ what: 'openssl', debianPackage: 'openssl' }] : [];
  const { left, installProblem } = await install(missing, env, () => {});
  if (left.length > 0) throw new Error(`this test needs openssl (apt-get install openssl)${installProblem}`);
}

async function openssl(args: readonly string[]): Promise<void> {
  const { code, ending, stderr } = await run('openssl', args, { env });
  if (code !== 0) throw new Error(`openssl ${args[0]}: ${ending}\n${stderr}`);
}
