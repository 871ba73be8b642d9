/** Whether something that was read or received is a list of voters, or a database to guard. No schema library: agents stay small. */
import type { GuardedDatabase, Voter, VoterList } from '../domain/roster.ts';

type Loose = Record<string, unknown>;

const isObject = (value: unknown): value is Loose => typeof value === 'object' && value !== null;
const isText = (value: unknown): value is string => typeof value === 'string';
const isPort = (value: unknown): boolean => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 65_535;

/** A machine's name, and where its agent answers. */
export const isVoter = (value: unknown): value is Voter =>
  isObject(value) &&
  isText(value['machine']) &&
  isText(value['address']) &&
  isPort(value['port']) &&
  typeof value['leased'] === 'boolean';

/** Versions are whole numbers from 0. */
export const isVoterList = (value: unknown): value is VoterList =>
  isObject(value) &&
  Number.isSafeInteger(value['version']) &&
  Number(value['version']) >= 0 &&
  Array.isArray(value['voters']) &&
  value['voters'].every(isVoter);

const isPlace = (value: unknown): boolean =>
  isObject(value) &&
  [value['id'], value['shard'], value['machine'], value['host']].every(isText) &&
  isPort(value['port']) &&
  isObject(value['birth']);

/** As far as planning relies on it. */
export const isGuardedDatabase = (value: unknown): value is GuardedDatabase =>
  isObject(value) &&
  [value['name'], value['uid'], value['adminPassword']].every(isText) &&
  isObject(value['spec']) &&
  isObject(value['wantedPrimaries']) &&
  [value['nodes'], value['retired']].every((places) => Array.isArray(places) && places.every(isPlace));
