import assert from 'node:assert/strict';
import { it } from 'node:test';
import { BLOCK_BYTES, type Block, blockOf, releaseBlock, takeBlock } from './block.ts';
import { Inbox } from './inbox.ts';

const PART = 50_000;
const bytesOf = (letter: string, length = PART): Buffer => Buffer.alloc(length, letter);

it('leaves a command where it lies while it is on its way to a node', () => {
  const inbox = new Inbox();
  inbox.keep(bytesOf('a'), 0, PART, 2 * PART);
  inbox.keep(bytesOf('a'), 0, PART, 2 * PART);
  let block: Block | undefined;
  inbox.read((bytes, from) => {
    block = blockOf(bytes);
    block!.holders += 1; // as the connection to a node does
    return from + 2 * PART - 10; // the rest belongs to the next command
  });
  inbox.keep(bytesOf('b'), 0, PART, BLOCK_BYTES);
  const { bytes } = block!;
  assert.ok(bytes.subarray(0, 2 * PART).equals(bytesOf('a', 2 * PART)));
  assert.notEqual(inbox.bytes, bytes);
  const kept = Buffer.concat([bytesOf('a', 10), bytesOf('b')]);
  assert.ok(inbox.bytes.subarray(inbox.from, inbox.to).equals(kept), 'what comes behind it is kept elsewhere');
  assert.equal(block!.holders, 1, 'the inbox has let go of it');
  releaseBlock(block!);
  assert.equal(takeBlock(1), block, 'and when the node has answered, it is used again');
});
