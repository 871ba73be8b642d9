/**
 * Sockets whose bytes are read into one buffer that all of them share: what a read brought is used up before the next
 * read happens, so none needs a buffer of its own, and ten thousand idle connections cost ten thousand small objects.
 *
 * Node offers this (`onread`) for sockets that connect, not for those that a server accepts: those are opened again
 * around their handle. That handle is not part of Node's documented interface; this file is the only one to touch it.
 */
import { connect, createServer, type Server, Socket, type SocketConstructorOpts } from 'node:net';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { READ_BLOCK } from './block.ts';

/** Takes the first `length` bytes of `bytes`, which change afterwards. False: read no more until `resume()`. */
export type OnBytes = (length: number, bytes: Buffer) => boolean;

/** A listening socket as it is handed from process to process. */
export type ListeningHandle = object & { readonly __listening?: never };

interface WithHandle {
  _handle: object | null;
}

const onread = (onBytes: OnBytes) => ({
  buffer: READ_BLOCK.bytes,
  callback: (length: number, bytes: Uint8Array): boolean => onBytes(length, bytes as Buffer),
});

const KEEP_ALIVE_DELAY_MS = 15_000;

export interface Target {
  host: string;
  port: number;
  /** Null: without TLS. With it, nothing may be written before `secureConnect`. */
  tls: ConnectionOptions | null;
}

/** Connects; bytes go to `onBytes`. */
export function connectSocket({ host, port, tls }: Target, onBytes: OnBytes): Socket {
  if (tls !== null) {
    const socket = connectTls({ ...tls, host, port, onread: onread(onBytes) } as ConnectionOptions);
    // Not among the options of a TLS socket.
    return socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_DELAY_MS);
  }
  return connect({
    host,
    port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_DELAY_MS,
    onread: onread(onBytes),
  });
}

/** A server whose connections come as handles, to be opened with `openAccepted`. */
export function acceptingServer(onConnection: (accepted: Socket) => void): Server {
  return createServer(
    { pauseOnConnect: true, noDelay: true, allowHalfOpen: true, keepAlive: true, keepAliveInitialDelay: 60_000 },
    onConnection,
  );
}

/** The accepted connection as a socket whose bytes go to `onBytes`; the one the server made is used up. */
export function openAccepted(accepted: Socket, onBytes: OnBytes): Socket {
  const from = accepted as unknown as WithHandle;
  const handle = from._handle;
  from._handle = null;
  const options = { handle, onread: onread(onBytes), allowHalfOpen: true } as unknown as SocketConstructorOpts;
  const socket = new Socket(options);
  socket.read(0); // begins to read
  return socket;
}

/** Makes an accepted connection a socket whose bytes go to `onBytes`. */
export type Opener = (onBytes: OnBytes) => Socket;

/** A connection whose handshake is over; its bytes come in buffers of their own. */
export function openTls(socket: TLSSocket, onBytes: OnBytes): Socket {
  return socket.on('data', (bytes: Buffer) => {
    if (!onBytes(bytes.length, bytes)) socket.pause();
  });
}

/** After the last byte was written: how long its peer has to end, too. */
const LINGER_MS = 1_000;

/**
 * Ends a connection so that its peer gets all that was written. What the peer still sends is read and thrown away for a
 * moment: a socket closed with bytes unread resets the connection, and the last reply with it.
 */
export function endSocket(socket: Socket): void {
  socket.end();
  socket.resume();
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}

/** Says why to a client that is not taken, and ends. */
export function turnAway(accepted: Socket, text: string): void {
  accepted.on('error', () => {});
  accepted.write(text);
  endSocket(accepted);
}

/** The listening socket of a server, to be sent over a channel between processes: both may accept from it. */
export const handleOf = (server: Server): ListeningHandle => (server as unknown as WithHandle)._handle!;
