/** MGET, MSET, DEL, UNLINK, EXISTS, TOUCH over several slots: a part for each slot, and one reply. */
import { ReplyScanner } from '../../resp/reply-scanner.ts';
import type { Call, Handler } from '../call.ts';
import type { Command } from '../commands/command-index.ts';
import { anyOf, firstError, Gather, sumOf } from '../gather.ts';
import { slotOf } from '../hash-slot.ts';
import { Scatter } from '../scatter.ts';

/** Parts are put together here before they are copied into the block of their node. */
let scratch = Buffer.allocUnsafeSlow(64 * 1024);

/** Beginnings of the parts of a command with one key each, by the command's number. */
const prefixes: Buffer[] = [];

function prefixOf(command: Command, step: number): Buffer {
  prefixes[command.number] ??= Buffer.from(
    `*${1 + step}\r\n$${command.bytes.length}\r\n${command.name.toUpperCase()}\r\n`,
  );
  return prefixes[command.number]!;
}

interface Part {
  slot: number;
  /** Numbers of the keys in it, from 0. */
  keys: number[];
}

/** Keys by slot, each slot in the order of its first key. `step` arguments belong to a key. */
function partsOf(call: Call, step: number): Part[] {
  const parts: Part[] = [];
  const bySlot = new Map<number, Part>();
  for (let index = 1; index < call.argc; index += step) {
    const start = call.startOf(index);
    const slot = slotOf(call.bytes, start, start + call.lengthOf(index));
    let part = bySlot.get(slot);
    if (!part) {
      part = { slot, keys: [] };
      bySlot.set(slot, part);
      parts.push(part);
    }
    part.keys.push((index - 1) / step);
  }
  return parts;
}

/** Sends the parts of a command; each key takes `step` arguments with it. */
function sendParts(call: Call, gather: Gather, parts: readonly Part[], step: number): void {
  const { command, bytes } = call;
  const name = `$${command.bytes.length}\r\n${command.name.toUpperCase()}\r\n`;
  for (const { slot, keys } of parts) {
    const head = `*${1 + keys.length * step}\r\n${name}`;
    let length = head.length;
    for (const key of keys) length += endOf(call, key, step) - call.headerOf(1 + key * step);
    if (length > scratch.length) scratch = Buffer.allocUnsafeSlow(length * 2);
    let at = scratch.write(head, 0, 'latin1');
    for (const key of keys) at += bytes.copy(scratch, at, call.headerOf(1 + key * step), endOf(call, key, step));
    gather.send(slot, command.readsOnly, scratch, 0, at);
  }
  gather.seal();
}

function endOf(call: Call, key: number, step: number): number {
  const last = key * step + step;
  return call.startOf(last) + call.lengthOf(last) + 2;
}

/** Values in the order of the keys. */
const mget: Handler = (call) => {
  if (call.argc > 2 && Scatter.send(call, 1, prefixOf(call.command, 1), 'values')) return;
  const parts = partsOf(call, 1);
  if (parts.length === 1) return call.forward(parts[0]!.slot);
  const count = call.argc - 1;
  const gather = new Gather(call.client, (replies) => {
    const error = firstError(replies);
    if (error) return error;
    const values = new Array<Buffer>(count + 1);
    values[0] = Buffer.from(`*${count}\r\n`, 'latin1');
    for (const [index, { keys }] of parts.entries()) {
      const reply = replies[index]!;
      if (keys.length === 1)
        values[keys[0]! + 1] = reply.subarray(4); // behind `*1\r\n`
      else placeValues(reply, keys, values);
    }
    return Buffer.concat(values);
  });
  sendParts(call, gather, parts, 1);
};

function placeValues(reply: Buffer, keys: readonly number[], values: Buffer[]): void {
  const scanner = new ReplyScanner();
  let at = reply.indexOf('\r\n') + 2;
  for (const key of keys) {
    const end = scanner.scan(reply, at, reply.length);
    values[key + 1] = reply.subarray(at, end);
    at = end;
  }
}

const summed: Handler = (call) => {
  if (call.argc > 2 && Scatter.send(call, 1, prefixOf(call.command, 1), 'sum')) return;
  const parts = partsOf(call, 1);
  if (parts.length === 1) return call.forward(parts[0]!.slot);
  sendParts(call, new Gather(call.client, sumOf), parts, 1);
};

const mset: Handler = (call) => {
  if (call.argc % 2 === 0) return call.error("ERR wrong number of arguments for 'mset' command");
  if (call.argc > 3 && Scatter.send(call, 2, prefixOf(call.command, 2), 'first')) return;
  const parts = partsOf(call, 2);
  if (parts.length === 1) return call.forward(parts[0]!.slot);
  sendParts(call, new Gather(call.client, anyOf), parts, 2);
};

export const SPLIT_HANDLERS: Readonly<Record<string, Handler>> = {
  mget,
  mset,
  del: summed,
  unlink: summed,
  exists: summed,
  touch: summed,
};
