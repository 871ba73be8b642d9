/** A machine's credentials as they lie in its files: what agent and endpoint show and believe, read anew after a renewal. */
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { ValkeeperError } from '../domain/errors.ts';
import type { TlsFiles } from '../domain/tls-directives.ts';
import { parseBundle } from './bundle.ts';
import type { Credentials } from './credentials.ts';

const KEY = /-----BEGIN ((?:EC )?PRIVATE KEY)-----[^-]+-----END \1-----/;

export class MachineCredentials {
  readonly files: TlsFiles;
  #current: Credentials;

  /** @throws credentials_unusable */
  constructor(files: TlsFiles) {
    this.files = files;
    this.#current = readCredentials(files);
  }

  /** The same object until they are others: what is made of them is made once. */
  get current(): Credentials {
    return this.#current;
  }

  /** Reads the files again. @returns whether they hold others. @throws credentials_unusable: then those of before stay */
  reload(): boolean {
    const found = readCredentials(this.files);
    if (JSON.stringify(found) === JSON.stringify(this.#current)) return false;
    this.#current = found;
    return true;
  }
}

/** @throws credentials_unusable when a file is missing or no PEM, or key and certificate do not belong together */
function readCredentials({ identity, authorities }: TlsFiles): Credentials {
  const own = read(identity);
  const key = KEY.exec(own)?.[0];
  if (key === undefined) throw unusable(identity, 'it holds no private key');
  const [certificate] = parseBundle(own);
  if (certificate === undefined) throw unusable(identity, 'it holds no certificate');
  const bundle = parseBundle(read(authorities));
  if (bundle.length === 0) throw unusable(authorities, 'it holds no certificate');
  try {
    createSecureContext({ cert: certificate, key, ca: [...bundle] });
  } catch (error) {
    throw unusable(identity, (error as Error).message);
  }
  return { certificate, key: `${key}\n`, bundle };
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw unusable(path, code === 'ENOENT' ? 'there is no such file' : message);
  }
}

const unusable = (path: string, problem: string): ValkeeperError =>
  new ValkeeperError('credentials_unusable', { path, problem });
