/**
 * Sockets whose bytes are read into one buffer that all of them share: what a read brought is used up before the next
 * read happens, so none needs a buffer of its own, and ten thousand idle connections cost ten thousand small objects.
 *
 * Node offers this (`onread`) for sockets that connect, not for those that a server accepts: those are opened again
 * around their handle. That handle is not part of Node's documented interface; this file is the only one to touch it.
 */
import { connect, createServer, type Server, Socket, type SocketConstructorOpts } from 'node:net';

/** Bytes of one read at the most. */
const READ_BYTES = 256 * 1024;
const shared = Buffer.allocUnsafeSlow(READ_BYTES);

/** Takes the first `length` bytes of `bytes`, which change afterwards. False: read no more until `resume()`. */
export type OnBytes = (length: number, bytes: Buffer) => boolean;

/** A listening socket as it is handed from process to process. */
export type ListeningHandle = object & { readonly __listening?: never };

interface WithHandle {
  _handle: object | null;
}

const onread = (onBytes: OnBytes) => ({
  buffer: shared,
  callback: (length: number, bytes: Uint8Array): boolean => onBytes(length, bytes as Buffer),
});

/** Connects; bytes go to `onBytes`. */
export function connectSocket(host: string, port: number, onBytes: OnBytes): Socket {
  return connect({
    host,
    port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: 15_000,
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

/** The listening socket of a server, to be sent over a channel between processes: both may accept from it. */
export const handleOf = (server: Server): ListeningHandle => (server as unknown as WithHandle)._handle!;
