/** MONITOR at every primary, while a client wants it: what scripts call is known there only. */
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { ADMIN_USER } from '../domain/database.ts';
import { encodeCommand } from '../resp/encode.ts';
import type { TlsTo } from './node-tls.ts';
import type { SlotMap } from './slot-map.ts';

/** What a script calls: `+1339518083.107412 [0 lua] "set" "x" "y"`. */
const OF_SCRIPT = /^\+\d+\.\d+ \[\d+ lua\] /;
const LONGEST_LINE = 16 * 1024 ** 2;

export class NodeMonitors {
  readonly #sockets = new Map<number, Socket>();
  readonly #tell: (line: string) => void;

  constructor(tell: (line: string) => void) {
    this.#tell = tell;
  }

  /** Has a connection to every primary, or none. To be called now and then. */
  keep(map: SlotMap, password: string, tlsTo: TlsTo, isWanted: boolean): void {
    const primaries = isWanted ? map.primaries() : [];
    for (const [node, socket] of this.#sockets) if (!primaries.includes(node)) socket.destroy();
    for (const node of primaries) if (!this.#sockets.has(node)) this.#open(map, node, password, tlsTo);
  }

  close(): void {
    for (const socket of this.#sockets.values()) socket.destroy();
  }

  #open(map: SlotMap, node: number, password: string, tlsTo: TlsTo): void {
    const place = map.nodes[node]!;
    const { host, port } = place;
    const tls = tlsTo(place);
    const socket: Socket = tls === null ? connect({ host, port }) : connectTls({ ...tls, host, port });
    this.#sockets.set(node, socket);
    socket.setEncoding('latin1');
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#sockets.delete(node));
    // With TLS, who is there is known only then.
    socket.on(tls === null ? 'connect' : 'secureConnect', () => {
      socket.write(encodeCommand(['AUTH', ADMIN_USER, password]));
      socket.write(encodeCommand(['MONITOR']));
    });
    let rest = '';
    socket.on('data', (text: string) => {
      const lines = (rest + text).split('\r\n');
      rest = lines.pop()!;
      if (rest.length > LONGEST_LINE) socket.destroy();
      for (const line of lines) if (OF_SCRIPT.test(line)) this.#tell(`${line}\r\n`);
    });
  }
}
