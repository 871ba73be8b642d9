/** May this machine join? Pure: the caller reads the records, and stores what comes of it before it issues anything. */
import { ValkeeperError } from '../domain/errors.ts';
import { type JoinTokenRecord, markUsed, type TokenOutcome } from './join-token.ts';

/** A machine that has joined, as far as joining is concerned. */
export interface JoinedMachine {
  readonly name: string;
  /** Of the request with which it joined; see `readRequest`. */
  readonly keyId: string;
}

export type JoinDecision =
  /** Both records are to be stored as they are, in one compare-and-set against what was read; then issue. */
  | { readonly admitted: true; readonly token: JoinTokenRecord; readonly joined: JoinedMachine }
  | { readonly admitted: false; readonly error: ValkeeperError };

/**
 * A name belongs to the machine that joined first with it: another key with a fresh token of its own is refused, too.
 * The same request again, whose answer was lost, is granted again, unless the machine was removed meanwhile.
 * @param present the machine that has the name; undefined when there is none
 * @param now milliseconds since the epoch
 */
export function decideJoin(
  outcome: TokenOutcome,
  present: JoinedMachine | undefined,
  { name, keyId, now }: JoinedMachine & { now: number },
): JoinDecision {
  if (!('record' in outcome)) return refused(tokenError(outcome));
  const { record } = outcome;
  if (present !== undefined && present.keyId !== keyId) {
    return refused(new ValkeeperError('machine_name_taken', { name }));
  }
  if (record.use === null) {
    const token = markUsed(record, { at: now, machine: name, keyId });
    return { admitted: true, token, joined: present ?? { name, keyId } };
  }
  if (present === undefined) return refused(tokenError({ outcome: 'used', use: record.use }));
  return { admitted: true, token: record, joined: present };
}

const refused = (error: ValkeeperError): JoinDecision => ({ admitted: false, error });

type Unfit = Exclude<TokenOutcome, { readonly record: JoinTokenRecord }>;

/** What whoever sets up the machine is told of a token that admits nobody. */
function tokenError(outcome: Unfit): ValkeeperError {
  switch (outcome.outcome) {
    case 'malformed':
      return new ValkeeperError('join_token_malformed');
    case 'unknown':
      return new ValkeeperError('join_token_unknown');
    case 'expired':
      return new ValkeeperError('join_token_expired', { at: iso(outcome.at) });
    case 'reserved':
      return new ValkeeperError('join_token_for_another', { wanted: outcome.wanted, name: outcome.name });
    case 'used':
      return new ValkeeperError('join_token_used', { at: iso(outcome.use.at), machine: outcome.use.machine });
  }
}

const iso = (at: number): string => new Date(at).toISOString();
