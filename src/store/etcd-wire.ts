/** etcd's JSON, as far as it is used here: bytes are base64, numbers of 64 bits are strings, and what is 0 is left out. */
import type { Expectation, ListOptions } from './store.ts';

interface Header {
  revision?: string;
}

/** A key as etcd answers it; `value` is missing where only keys were asked for. */
export interface KeyValue {
  key: string;
  value?: string;
  mod_revision: string;
}

/** What every answer carries. */
export interface Answer {
  header: Header;
}

export interface RangeAnswer extends Answer {
  kvs?: readonly KeyValue[];
}

export interface TxnAnswer extends Answer {
  succeeded?: boolean;
  responses?: readonly { response_range?: Omit<RangeAnswer, 'header'> }[];
}

export interface GrantAnswer extends Answer {
  ID: string;
  TTL: string;
}

export interface TimeToLiveAnswer extends Answer {
  TTL: string;
}

/** Without a TTL: there is no such lease. */
export interface KeepAliveAnswer {
  result: { TTL?: string };
}

/** One line of a watch. */
export interface WatchLine {
  result?: {
    header: Header;
    events?: readonly { type?: 'DELETE'; kv: KeyValue }[];
    created?: boolean;
    canceled?: boolean;
    cancel_reason?: string;
    compact_revision?: string;
  };
  error?: { message?: string };
}

/** The revision that an answer tells. */
export const revisionOf = ({ header }: Answer): number => Number(header.revision ?? 0);

const toBase64 = (text: string): string => Buffer.from(text).toString('base64');

/** The text that etcd's bytes are. */
export const fromBase64 = (bytes: string): string => Buffer.from(bytes, 'base64').toString();

/** A value as etcd takes it. */
export const toValue = toBase64;

interface Range {
  key: string;
  range_end: string;
}

/** Where the keys of one store lie in an etcd that others use too. */
export class Keyspace {
  readonly #data: string;
  readonly #markers: string;

  /** @param prefix without a slash, so that no store's keys lie among those of another */
  constructor(prefix: string) {
    this.#data = `${prefix}/data/`;
    this.#markers = `${prefix}/marker/`;
  }

  /** etcd's bytes of a key of the store. */
  key(key: string): string {
    return toBase64(this.#data + key);
  }

  /** The key of the store behind etcd's bytes. */
  read(bytes: string): string {
    return fromBase64(bytes).slice(this.#data.length);
  }

  /** etcd's bytes of the key that tells what became of a writer's commits. */
  marker(writer: string): string {
    return toBase64(this.#markers + writer);
  }

  /** All keys that begin with `prefix` and lie behind `after`. */
  range(prefix: string, { after = '' }: Pick<ListOptions, 'after'> = {}): Range {
    const from = Buffer.from(this.#data + prefix);
    const end = Buffer.from(from);
    end[end.length - 1]! += 1; // never the greatest byte: that is not in UTF-8
    const behind = Buffer.from(`${this.#data}${after}\0`);
    const key = after !== '' && Buffer.compare(behind, from) > 0 ? behind : from;
    return { key: key.toString('base64'), range_end: end.toString('base64') };
  }
}

/** A condition of a transaction: etcd says that what is not there was changed at revision 0. */
export const compare = (key: string, expect: Expectation) => ({
  key,
  target: 'MOD',
  result: 'EQUAL',
  mod_revision: String(expect === 'absent' ? 0 : expect),
});

/** Whether this could be the id of a lease: a whole number above 0 in 64 bits. */
export const isLeaseId = (id: string): boolean => /^[1-9]\d{0,18}$/.test(id) && BigInt(id) <= 0x7fff_ffff_ffff_ffffn;
