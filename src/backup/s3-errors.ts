/** What can be wrong with S3, said to people. */
import { ValkeeperError } from '../domain/errors.ts';

/** Of an error of the SDK, whatever its class: only names are the same for all servers. */
interface Failure {
  name: string;
  message: string;
  code?: string;
  $metadata?: { httpStatusCode?: number };
}

/** Where it happened. */
export interface S3Where {
  place: string;
  bucket: string;
  /** For people: an address, or AWS. */
  server: string;
}

const PERMISSIONS =
  's3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload, s3:ListBucket and s3:ListBucketMultipartUploads';

/** The error for people behind a request that failed for good. */
export function s3Error(cause: unknown, { place, bucket, server }: S3Where): ValkeeperError {
  const failure = toFailure(cause);
  const [problem, remedy] = explain(failure, bucket, server);
  return new ValkeeperError('backup_store_unusable', { place, problem, remedy }, { cause });
}

/** Whether the server said that there is no such object or upload. */
export const isMissing = (cause: unknown): boolean =>
  ['NoSuchKey', 'NotFound', 'NoSuchUpload'].includes(toFailure(cause).name);

function explain(failure: Failure, bucket: string, server: string): [problem: string, remedy: string] {
  const status = failure.$metadata?.httpStatusCode;
  switch (failure.name) {
    case 'NoSuchBucket':
      return [`${server} has no bucket ${bucket}`, 'Create the bucket, or correct its name or the endpoint.'];
    case 'CredentialsProviderError':
      return ['there are no credentials', 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY where the server runs.'];
    case 'InvalidAccessKeyId':
    case 'SignatureDoesNotMatch':
    case 'ExpiredToken':
    case 'InvalidToken':
      return [
        `${server} does not take the credentials (${failure.name})`,
        'Correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN, if one is used).',
      ];
    case 'RequestTimeTooSkewed':
      return [`the clocks of ${server} and of this machine differ too much`, 'Set this clock: `timedatectl`.'];
    case 'PermanentRedirect':
    case 'AuthorizationHeaderMalformed':
    case 'IllegalLocationConstraintException':
      return [`the bucket is in another region (${failure.message})`, 'Name its region: s3://BUCKET?region=REGION.'];
    case 'TimeoutError':
      return [`${server} does not answer in time`, 'Look whether it runs and whether the network between is well.'];
    default:
  }
  if (status === 403) return ['access is denied', `Give the user of these credentials ${PERMISSIONS}.`];
  if (status === undefined && failure.code !== undefined) {
    const problem = `${server} cannot be reached (${failure.code})`;
    return [problem, 'Look whether it runs, and correct the endpoint if it is elsewhere.'];
  }
  const said = [status, failure.name, failure.message].filter((word) => word !== undefined && word !== '').join(' ');
  return [`${server} failed (${said})`, "Look at the server's own log or status page; it was tried several times."];
}

function toFailure(cause: unknown): Failure {
  if (!(cause instanceof Error)) return { name: '', message: String(cause) };
  // A host with several addresses fails with all their errors in one, which has no message.
  if (cause instanceof AggregateError && cause.errors.length > 0) return toFailure(cause.errors[0]);
  return cause as Failure;
}
