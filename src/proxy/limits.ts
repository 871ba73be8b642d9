/** Every limit of an endpoint, for one database in one worker. What happens at each is said beside it. */
export interface Limits {
  /** Clients at once; the next is told so and closed. */
  clients: number;
  /** Bytes of one command: the client is told so and closed. */
  commandBytes: number;
  /** Commands of one client that wait for replies: it is read no further until some are answered. */
  inFlightPerClient: number;
  /** Bytes of replies that a client has not taken: it is read no further ... */
  replyBytesPause: number;
  /** ... and closed; also bytes of one reply that must be put together or wait for its turn. */
  replyBytesClose: number;
  /** Commands that cannot be sent now, and their bytes: what is more is answered with an error. */
  waitingCommands: number;
  waitingBytes: number;
  /** How long they wait at the most. */
  waitMs: number;
  /** How long replicas may take to acknowledge writes that must be: after that their outcome is unknown. */
  acknowledgeMs: number;
  /** Bytes of a transaction: it is refused. */
  transactionBytes: number;
  /** Bytes of scripts kept for EVALSHA: the oldest go. */
  scriptBytes: number;
  /** Memory of all commands and replies that are under way: the client that has most of it is told so and closed. */
  totalBytes: number;
  /** A client that says nothing for so long is closed; 0: never. */
  idleMs: number;
  /** A client that does not name its user for so long is told so and closed. */
  loginMs: number;
  /** TLS handshakes that are not over: the next is closed. */
  handshakes: number;
  /** A handshake that takes longer is closed; who has said nothing for so long speaks no TLS. */
  handshakeMs: number;
}

const MIB = 1024 ** 2;

export const DEFAULT_LIMITS: Limits = {
  clients: 20_000,
  commandBytes: 512 * MIB,
  inFlightPerClient: 4_096,
  replyBytesPause: MIB,
  replyBytesClose: 256 * MIB,
  waitingCommands: 100_000,
  waitingBytes: 64 * MIB,
  waitMs: 10_000,
  acknowledgeMs: 1_000,
  transactionBytes: 64 * MIB,
  scriptBytes: 16 * MIB,
  totalBytes: 2048 * MIB,
  idleMs: 0,
  loginMs: 60_000,
  handshakes: 1_000,
  handshakeMs: 10_000,
};
