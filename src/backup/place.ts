/** Where backups are to be kept, as people write it: a folder or a bucket. */
import { isIPv4 } from 'node:net';
import { isAbsolute, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ValkeeperError } from '../domain/errors.ts';
import type { BlobStore } from './blob-store.ts';
import { openFolderStore } from './folder-store.ts';
import { nameProblem } from './names.ts';
import { openS3Store, type S3Place } from './s3-store.ts';

/** A place, parsed. */
export type Place = { kind: 'folder'; path: string } | ({ kind: 's3' } & S3Place);

type Environment = Record<string, string | undefined>;

const FOLDER = '/srv/backups';
const BUCKET = 's3://my-bucket/backups';
const ENDPOINT = `${BUCKET}?endpoint=http://10.0.0.5:9000&region=eu-central-1`;
const NO_CREDENTIALS =
  'it has credentials in it, but places are shown and stored; they are taken from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or from where else AWS looks for them';

/**
 * Reads a place: an absolute path, `file:///path`, or `s3://bucket[/prefix][?endpoint=http://host:port&region=...]`.
 * @throws backup_place_invalid
 */
export function parsePlace(place: string): Place {
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(place)?.[1]?.toLowerCase();
  if (scheme === 's3') return parseBucket(place);
  if (scheme === 'file') return toFolder(place, pathOf(place));
  if (scheme !== undefined) throw invalid(place, `${scheme}:// is not known, only file:// and s3:// are`, BUCKET);
  if (place === '') throw invalid('""', 'it is empty', FOLDER);
  if (!isAbsolute(place))
    throw invalid(place, 'it is relative: it would depend on where a command is run', resolve(FOLDER, place));
  return toFolder(place, place);
}

/**
 * Opens a place; what is wrong with it there shows when it is used.
 * @param env for credentials (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN) and AWS_REGION
 * @throws backup_place_invalid
 */
export async function openPlace(place: string, env: Environment): Promise<BlobStore> {
  const parsed = parsePlace(place);
  if (parsed.kind === 'folder') return openFolderStore(parsed.path);
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN } = env;
  const region = parsed.region ?? env['AWS_REGION'] ?? env['AWS_DEFAULT_REGION'];
  if (!accessKeyId || !secretAccessKey) return openS3Store({ ...parsed, region });
  const session = AWS_SESSION_TOKEN ? { sessionToken: AWS_SESSION_TOKEN } : {};
  return openS3Store({ ...parsed, region }, { accessKeyId, secretAccessKey, ...session });
}

function pathOf(place: string): string {
  try {
    return fileURLToPath(place);
  } catch {
    throw invalid(place, 'a file:// place begins with file:/// and an absolute path', `file://${FOLDER}`);
  }
}

function toFolder(place: string, path: string): Place {
  if (/[\0\n]/.test(path)) throw invalid(JSON.stringify(place), 'it has a character that no path should have', FOLDER);
  return { kind: 'folder', path: resolve(path) };
}

function parseBucket(place: string): Place {
  const [, host = '', path = '', query = ''] = /^s3:\/\/([^/?]*)([^?]*)\??(.*)$/i.exec(place) ?? [];
  if (`${host}${path}`.includes('@')) throw invalid(place, NO_CREDENTIALS, BUCKET);
  const given = new URLSearchParams(query);
  for (const [key, value] of given) {
    if (/key|secret|token|password|user|cred/i.test(key)) throw invalid(place, NO_CREDENTIALS, BUCKET);
    if (key !== 'endpoint' && key !== 'region')
      throw invalid(place, `${key} is not known, only endpoint and region are`, ENDPOINT);
    if (value === '') throw invalid(place, `its ${key} is empty`, ENDPOINT);
    if (given.getAll(key).length > 1) throw invalid(place, `its ${key} is given twice`, ENDPOINT);
  }
  const problem = bucketProblem(host);
  if (problem !== null) throw invalid(place, problem, BUCKET);
  const prefix = path.replace(/^\/|\/$/g, '');
  const prefixProblem = prefix === '' ? null : nameProblem(prefix);
  if (prefixProblem !== null) throw invalid(place, `its prefix cannot be used: ${prefixProblem}`, BUCKET);
  const endpoint = given.get('endpoint');
  const region = given.get('region');
  if (region !== null && !/^[a-z0-9-]+$/.test(region)) throw invalid(place, 'its region is no name of one', ENDPOINT);
  return {
    kind: 's3',
    bucket: host,
    prefix,
    endpoint: endpoint === null ? undefined : checkEndpoint(place, endpoint),
    region: region ?? undefined,
  };
}

/** By the rules of AWS, which other servers have taken over. */
function bucketProblem(bucket: string): string | null {
  if (bucket === '') return 'it names no bucket';
  const fine = /^[a-z0-9](?:[a-z0-9.-]{1,61})[a-z0-9]$/.test(bucket) && !bucket.includes('..') && !isIPv4(bucket);
  return fine
    ? null
    : `${bucket} is no bucket's name: 3 to 63 lower-case letters, digits, hyphens and dots, a letter or digit at both ends, no IP address`;
}

function checkEndpoint(place: string, endpoint: string): string {
  const url = URL.parse(endpoint);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw invalid(place, 'its endpoint is no address that begins with http:// or https://', ENDPOINT);
  }
  if (url.username !== '' || url.password !== '') throw invalid(place, NO_CREDENTIALS, ENDPOINT);
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    throw invalid(place, 'its endpoint has more than a host and a port', ENDPOINT);
  }
  return url.origin;
}

/** What may be a secret is not said again. */
function invalid(place: string, problem: string, example: string): ValkeeperError {
  const shown = place.replace(/\?.*$/s, '?...').replace(/\/\/.*@/s, '//...@');
  return new ValkeeperError('backup_place_invalid', { place: shown, problem, example });
}
