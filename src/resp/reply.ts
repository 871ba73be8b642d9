/** What a server answers, as values. Errors are values too: whoever asked decides what to do with them. */

/** An error reply. Errors are told apart by their first word, such as MOVED or NOPERM; `ERR` is the plain one. */
export class ReplyError {
  /** The first word. */
  readonly code: string;
  /** The whole text, the first word included. */
  readonly message: string;

  constructor(message: string) {
    this.message = message;
    this.code = message.split(' ', 1)[0]!;
  }
}

/** Out of band data (RESP3 `>`): not an answer to any command. */
export class Push {
  readonly items: readonly Reply[];

  constructor(items: readonly Reply[]) {
    this.items = items;
  }
}

/** Strings are Buffers where a decoder was asked for bytes; bigint stands for what a number cannot hold exactly. */
export type Reply =
  | string
  | Buffer
  | number
  | bigint
  | boolean
  | null
  | ReplyError
  | Push
  | Reply[]
  | Map<Reply, Reply>
  | Set<Reply>;

/** The bytes are not RESP, or exceed a limit. The connection they came from cannot be used any more. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}
