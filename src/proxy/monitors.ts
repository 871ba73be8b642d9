/** MONITOR: clients that are told of every command that clients of this worker send, as it comes. */
import type { CommandScanner } from '../resp/command-scanner.ts';
import type { Command } from './commands/command-index.ts';
import { FLAGS } from './commands/facts.ts';
import type { Listener } from './listener.ts';
import { NodeMonitors } from './node-monitors.ts';
import type { TlsTo } from './node-tls.ts';
import type { Session } from './session.ts';
import type { SlotMap } from './slot-map.ts';

/** Those that may have secrets among their arguments. */
const SECRET = new Set(['auth', 'hello', 'acl', 'config', 'migrate']);
const isHidden = ({ name, facts }: Command): boolean => SECRET.has(name) || (facts.flags & FLAGS.admin) !== 0;

/** By byte, as the engine writes them. */
const ESCAPES = new Map([
  ...[...'\\"'].map((character): [number, string] => [character.charCodeAt(0), `\\${character}`]),
  ...[...'nrtab'].map((letter, at): [number, string] => [[10, 13, 9, 7, 8][at]!, `\\${letter}`]),
]);

export class Monitors {
  readonly #listeners = new Set<Listener>();
  readonly #nodes = new NodeMonitors((line) => this.#tellAll(line));

  get isOn(): boolean {
    return this.#listeners.size > 0;
  }

  add(listener: Listener): void {
    this.#listeners.add(listener);
  }

  delete(listener: Listener): void {
    this.#listeners.delete(listener);
  }

  /** Tells of a command, unless it has secrets (AUTH, HELLO) or is for administrators. */
  tell(session: Session, command: Command, scanner: CommandScanner, bytes: Buffer, from: number): void {
    const { argc, starts, lengths } = scanner;
    if (isHidden(command) || argc < command.minArgs || argc > command.maxArgs) return;
    const words: string[] = [];
    for (let index = 0; index < argc; index += 1) {
      const start = from + starts[index]!;
      words.push(quoted(bytes.subarray(start, start + lengths[index]!)));
    }
    const now = Date.now();
    const time = `${Math.floor(now / 1000)}.${String(now % 1000).padStart(3, '0')}000`;
    this.#tellAll(`+${time} [${session.db} ${session.address}] ${words.join(' ')}\r\n`);
  }

  /** To be called now and then: primaries change. */
  keep(map: SlotMap, password: string, tlsTo: TlsTo): void {
    this.#nodes.keep(map, password, tlsTo, this.isOn);
  }

  close(): void {
    this.#nodes.close();
  }

  #tellAll(text: string): void {
    const line = Buffer.from(text, 'latin1');
    for (const listener of this.#listeners) listener.push(line, 0, line.length);
  }
}

function quoted(bytes: Buffer): string {
  let text = '"';
  for (const byte of bytes) {
    const isPrintable = byte >= 0x20 && byte < 0x7f;
    text += ESCAPES.get(byte) ?? (isPrintable ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`);
  }
  return `${text}"`;
}
