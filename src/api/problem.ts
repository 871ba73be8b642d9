/** Errors as the API sends them: problem documents (RFC 9457) with the catalogue's code, kind, message and hint. */
import { STATUS_CODES } from 'node:http';
import { ERROR_KINDS, httpStatusOf, toErrorDocument, ValkeeperError } from '../domain/errors.ts';

/** Longest request body the API reads, in bytes. */
export const BODY_LIMIT_BYTES = 64 * 1024;

export const PROBLEM_TYPE = 'application/problem+json';

/** The body and status of the answer to a failed request. */
export function toProblem(error: ValkeeperError) {
  const document = toErrorDocument(error);
  const status = httpStatusOf(document);
  const type = `urn:valkeeper:error:${document.code}`;
  const { http, meaning } = ERROR_KINDS[document.kind];
  // Where HTTP has a more exact status than the kind, its own words are more exact, too.
  const title = status === http ? meaning : STATUS_CODES[status];
  return { type, title, status, detail: document.message, ...document };
}

/** What the HTTP framework refused before any route saw it, in our words; our own errors as they are. */
export function translate(error: Error & { code?: string; statusCode?: number }): ValkeeperError {
  if (error instanceof ValkeeperError) return error;
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new ValkeeperError('body_too_large', { limitBytes: BODY_LIMIT_BYTES });
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return invalid('content-type', 'must be application/json', 'Send JSON with `content-type: application/json`.');
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
      return invalid('body', 'must be a JSON document', 'Check its quotes, commas and braces.');
    default:
      if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500) {
        return invalid('request', error.message, 'Correct the request and send it again.');
      }
      return new ValkeeperError('internal', { detail: error.message }, { cause: error });
  }
}

const invalid = (field: string, problem: string, remedy: string): ValkeeperError =>
  new ValkeeperError('invalid_value', { field, problem, remedy });
