/** One command as its handler sees it. Its bytes are good only until the handler returns: what is kept is copied. */
import type { CommandScanner } from '../resp/command-scanner.ts';
import { type Answer, encodeReply } from '../resp/encode-reply.ts';
import { ReplyError } from '../resp/reply.ts';
import type { Client } from './client.ts';
import type { Command } from './commands/command-index.ts';
import type { Home } from './home.ts';
import type { Session } from './session.ts';

export class Call {
  readonly client: Client;
  readonly command: Command;
  readonly argc: number;
  readonly bytes: Buffer;
  readonly from: number;
  readonly to: number;
  readonly #scanner: CommandScanner;

  constructor(client: Client, command: Command, scanner: CommandScanner, bytes: Buffer, from: number, to: number) {
    this.client = client;
    this.command = command;
    this.argc = scanner.argc;
    this.bytes = bytes;
    this.from = from;
    this.to = to;
    this.#scanner = scanner;
  }

  get session(): Session {
    return this.client.session;
  }

  get home(): Home {
    return this.client.home;
  }

  /** Where an argument begins in `bytes`; with its `$n` line when `withHeader`. */
  startOf(index: number): number {
    return this.from + this.#scanner.starts[index]!;
  }

  lengthOf(index: number): number {
    return this.#scanner.lengths[index]!;
  }

  /** Where the `$n` line of an argument begins; the name has none here. */
  headerOf(index: number): number {
    return this.startOf(index - 1) + this.lengthOf(index - 1) + 2;
  }

  /** The argument's bytes, not a copy. */
  arg(index: number): Buffer {
    const start = this.startOf(index);
    return this.bytes.subarray(start, start + this.lengthOf(index));
  }

  text(index: number): string {
    return this.arg(index).toString();
  }

  upper(index: number): string {
    return this.text(index).toUpperCase();
  }

  /** Copies of the arguments from `first` on. */
  args(first = 0): Buffer[] {
    const copy = Buffer.from(this.bytes.subarray(this.from, this.to));
    return Array.from({ length: Math.max(0, this.argc - first) }, (_, offset) => {
      const start = this.#scanner.starts[first + offset]!;
      return copy.subarray(start, start + this.#scanner.lengths[first + offset]!);
    });
  }

  texts(first = 0): string[] {
    return this.args(first).map(String);
  }

  /** A copy of the whole command. */
  frame(): Buffer {
    return Buffer.from(this.bytes.subarray(this.from, this.to));
  }

  /** Answers at once. */
  answer(answer: Answer): void {
    this.client.reply(encodeReply(answer, this.session.resp));
  }

  ok(): void {
    this.client.reply('+OK\r\n');
  }

  /** Answers with an error; a text without a code is an `ERR`. */
  error(text: string): void {
    this.answer(new ReplyError(text));
  }

  /** Forwards it as it is to the owner of the slot; -1: to one primary, always the same. */
  forward(slot: number): void {
    this.client.forward(this.command, slot, this.bytes, this.from, this.to);
  }
}

/** What the endpoint does with a command. */
export type Handler = (call: Call) => void;
