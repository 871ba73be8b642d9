/** Which store a server works with: the file in its data directory, or an etcd that several servers share. */
import { readFileSync } from 'node:fs';
import type { StoreOptions } from '../cli/process-options.ts';
import { ValkeeperError } from '../domain/errors.ts';
import { type EtcdOptions, openEtcdStore } from '../store/etcd.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import type { Store } from '../store/store.ts';

export interface OpenStore {
  store: Store;
  /** Other servers may work with it, too: one of them leads. */
  isShared: boolean;
}

const FORM = /^(etcds?):\/\/([^/?#@]+)\/([\w.-]{1,64})$/;

/**
 * Opens it.
 * @param path of the embedded store
 * @throws bad_store, file_unusable, and what opening the store throws
 */
export async function chooseStore(path: string, options: StoreOptions): Promise<OpenStore> {
  const etcd = etcdOptionsOf(options);
  if (etcd === null) return { store: openSqliteStore(path), isShared: false };
  return { store: await openEtcdStore(etcd), isShared: true };
}

/** Null: the embedded store. @throws bad_store, file_unusable */
export function etcdOptionsOf(options: StoreOptions): EtcdOptions | null {
  const { store, storeCa, storeCert, storeKey, storeUserFile } = options;
  const files = { '--store-ca': storeCa, '--store-cert': storeCert, '--store-key': storeKey };
  const given = Object.entries(files).filter(([, file]) => file !== undefined);
  if (store === undefined) {
    const lonely = given[0]?.[0] ?? (storeUserFile === undefined ? undefined : '--store-user-file');
    if (lonely !== undefined) throw badStore(lonely, 'is for an etcd that --store names');
    return null;
  }
  const [, scheme, places, prefix] = FORM.exec(store) ?? [];
  if (scheme === undefined) throw badStore('--store', `${store} names no etcd and prefix`);
  const isTls = scheme === 'etcds';
  if (!isTls && given[0]) throw badStore(given[0][0], 'is for TLS, which etcds:// speaks');
  if ((storeCert === undefined) !== (storeKey === undefined)) {
    throw badStore('--store-cert', 'and --store-key are given together');
  }
  const urls = places!.split(',').map((place) => `${isTls ? 'https' : 'http'}://${place}`);
  const wrong = urls.find((url) => !/:\d+$/.test(url) || !URL.canParse(url));
  if (wrong !== undefined) throw badStore('--store', `${wrong.replace(/^https?:\/\//, '')} is not HOST:PORT`);
  return {
    urls,
    prefix,
    ...(isTls ? { tls: { ca: textOf(storeCa), cert: textOf(storeCert), key: textOf(storeKey) } } : {}),
    ...(storeUserFile === undefined ? {} : { user: userIn(storeUserFile) }),
  };
}

function userIn(path: string): { name: string; password: string } {
  const [, name, password] = /^([^:\s]+):(.+)$/.exec(textOf(path)!.trim()) ?? [];
  if (name === undefined) throw badStore('--store-user-file', `${path} must hold one line NAME:PASSWORD`);
  return { name, password: password! };
}

function textOf(path: string | undefined): string | undefined {
  try {
    return path === undefined ? undefined : readFileSync(path, 'utf8');
  } catch (error) {
    const problem = (error as Error).message;
    throw new ValkeeperError('file_unusable', { verb: 'read', path: path!, problem }, { cause: error });
  }
}

const badStore = (option: string, problem: string): ValkeeperError =>
  new ValkeeperError('bad_store', { option, problem });
