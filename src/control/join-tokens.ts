/** Join tokens in the store: made, listed and taken back. What is stored of one cannot be used as one. */
import { ValkeeperError } from '../domain/errors.ts';
import type { NewEvent } from '../domain/event.ts';
import { isName } from '../domain/ids.ts';
import { withLabels } from '../domain/machine.ts';
import type { Clock } from '../platform/clock.ts';
import type { CreatedToken, TokenList, TokenStatus } from '../protocol/api.ts';
import type { Entry, Store } from '../store/store.ts';
import { createJoinToken, type JoinTokenRecord } from '../trust/join-token.ts';
import type { FleetAuthority } from './fleet-authority.ts';

const PREFIX = 'join-tokens/';
const MOST_FRESH = 100;
/** One that is over is shown for so long; then it is removed when another is made. */
const KEPT_MS = 24 * 3_600_000;

export interface TokenWish {
  ttlSeconds: number;
  machine?: string | undefined;
  labels: Readonly<Record<string, string>>;
}

export interface TokenSurroundings {
  store: Store;
  clock: Clock;
  authority: FleetAuthority;
  /** Where machines that join find this control plane; none when it does not listen for them. */
  joinUrls: () => readonly string[];
  record: (event: NewEvent) => void;
}

export class JoinTokens {
  readonly #around: TokenSurroundings;

  constructor(around: TokenSurroundings) {
    this.#around = around;
  }

  /** @throws invalid_name, invalid_value, no_listener, too_many_join_tokens, authority_damaged */
  async create({ ttlSeconds, machine, labels }: TokenWish): Promise<CreatedToken> {
    const { authority, clock, joinUrls, record: event, store } = this.#around;
    if (machine !== undefined && !isName(machine)) {
      throw new ValkeeperError('invalid_name', { field: 'machine', value: JSON.stringify(machine) });
    }
    withLabels({}, labels);
    const urls = joinUrls();
    if (urls.length === 0) throw new ValkeeperError('no_listener');
    await this.#tidy();
    const { fingerprint } = await authority();
    const wish = { ttlMs: ttlSeconds * 1_000, now: clock.now(), fingerprint, labels, machine };
    const { text: token, record } = createJoinToken(wish);
    await store.commit([{ put: PREFIX + record.id, value: record, expect: 'absent' }]);
    const expiresAt = iso(record.expiresAt);
    const message = `The join token ${record.id} was made, for ${machine ?? 'any machine'}, until ${expiresAt}.`;
    event({ kind: 'join_token_created', severity: 'info', message });
    const name = machine === undefined ? '' : ` --name ${machine}`;
    return {
      id: record.id,
      token,
      command: `valkeeper agent --join ${urls.join(',')} --token ${token}${name}`,
      expiresAt,
    };
  }

  async list(): Promise<TokenList> {
    const now = this.#around.clock.now();
    const records = (await this.#all()).map(({ value }) => value);
    return { tokens: records.sort((a, b) => b.createdAt - a.createdAt).map((record) => statusOf(record, now)) };
  }

  /** @throws join_token_not_found */
  async revoke(id: string): Promise<TokenStatus> {
    const { clock, record: event, store } = this.#around;
    const present = await this.find(id);
    if (!present) throw new ValkeeperError('join_token_not_found', { id });
    await store.commit([{ delete: present.key }]);
    const message = `The join token ${id} was taken back.`;
    event({ kind: 'join_token_revoked', severity: 'info', message });
    return statusOf(present.value, clock.now());
  }

  async find(id: string): Promise<Entry<JoinTokenRecord> | null> {
    return /^[0-9a-f]{1,64}$/.test(id) ? this.#around.store.get<JoinTokenRecord>(PREFIX + id) : null;
  }

  #all(): Promise<Entry<JoinTokenRecord>[]> {
    return this.#around.store.list<JoinTokenRecord>(PREFIX);
  }

  /** @throws too_many_join_tokens */
  async #tidy(): Promise<void> {
    const { clock, store } = this.#around;
    const now = clock.now();
    const all = await this.#all();
    const over = all.filter(({ value }) => value.expiresAt + KEPT_MS < now);
    for (const { key, revision } of over) await store.commit([{ delete: key, expect: revision }]);
    const fresh = all.filter(({ value }) => statusOf(value, now).state === 'fresh');
    if (fresh.length >= MOST_FRESH) throw new ValkeeperError('too_many_join_tokens', { limit: MOST_FRESH });
  }
}

function statusOf({ id, createdAt, expiresAt, labels, machine, use }: JoinTokenRecord, now: number): TokenStatus {
  const state = use !== null ? 'used' : now < expiresAt ? 'fresh' : 'expired';
  return {
    ...{ id, state, labels, machine: use?.machine ?? machine },
    createdAt: iso(createdAt),
    expiresAt: iso(expiresAt),
  };
}

const iso = (at: number): string => new Date(at).toISOString();
