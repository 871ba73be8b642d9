/** Errors for people: raised with a code of the catalogue, and carried between processes as documents. */
import { type CatalogueEntry, ERROR_KINDS, ERRORS, type ErrorCode, type ErrorKind } from './error-catalogue.ts';
import { fillTemplate } from './template.ts';

export { ERROR_KINDS, ERRORS, type ErrorCode, type ErrorKind } from './error-catalogue.ts';

/** Values for the placeholders of a catalogue entry. */
export type ErrorParams = Record<string, string | number>;

/** The one error class: everything a person may see carries a code, a kind, a message and a hint. */
export class ValkeeperError extends Error {
  override readonly name = 'ValkeeperError';
  readonly code: ErrorCode;
  readonly kind: ErrorKind;
  /** What to do next. */
  readonly hint: string;

  constructor(code: ErrorCode, params: ErrorParams = {}, options?: ErrorOptions) {
    const entry: CatalogueEntry = ERRORS[code];
    super(fillTemplate(entry.message, params), options);
    this.code = code;
    this.kind = entry.kind;
    this.hint = fillTemplate(entry.hint, params);
  }
}

/** An error as it travels: in the API's problem documents and in `--json` output. */
export interface ErrorDocument {
  code: ErrorCode;
  kind: ErrorKind;
  message: string;
  hint: string;
}

/** The travelling form of any thrown value; what is not ours becomes `internal`. */
export function toErrorDocument(error: unknown): ErrorDocument {
  const known = error instanceof ValkeeperError ? error : new ValkeeperError('internal', { detail: describe(error) });
  return { code: known.code, kind: known.kind, message: known.message, hint: known.hint };
}

const describe = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** HTTP status of an error. */
export const httpStatusOf = ({ code, kind }: Pick<ErrorDocument, 'code' | 'kind'>): number =>
  (ERRORS[code] as CatalogueEntry).http ?? ERROR_KINDS[kind].http;

/** The error that a travelled document stands for, in the words of the process that raised it. */
export function fromErrorDocument({ code, kind, message, hint }: ErrorDocument): ValkeeperError {
  const error = new ValkeeperError(code in ERRORS ? code : 'internal');
  return Object.assign(error, { code, kind, message, hint });
}
