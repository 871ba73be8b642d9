import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { keySlot } from '../domain/key-slot.ts';
import { SLOT_COUNT } from '../domain/slots.ts';
import { cursorOf, nodeCursor, parseCursor, parseNodeCursor, startOfSlot } from './scan-cursor.ts';
import { tagOf } from './slot-tags.ts';

describe('the cursor of SCAN', () => {
  it('says the slot, the hash function and the place', () => {
    const place = { slot: 16_383, short: 16_383, place: 2n ** 25n - 1n };
    assert.deepEqual(parseCursor(cursorOf(place)), place);
    assert.ok(Number.isSafeInteger(Number(cursorOf(place))));
    assert.deepEqual(parseCursor('0'), startOfSlot(0));
    assert.equal(cursorOf(startOfSlot(77)), '77');
    for (const bad of ['', 'x', '-1', '1.5', '18446744073709551616']) assert.equal(parseCursor(bad), null);
  });

  it("is made of a node's cursor and back", () => {
    const own = `abcABC-{${tagOf(5)}}-${(1234n << 14n) | 5n}`;
    const place = parseNodeCursor(Buffer.from(own))!;
    assert.deepEqual([place.slot, place.place, place.print], [5, 1234n, 'abcABC']);
    assert.ok(place.short > 0);
    assert.equal(nodeCursor(parseCursor(cursorOf(place))!, place.print), own);
    assert.equal(nodeCursor(place, undefined), `0-{${tagOf(5)}}-0`);
    assert.equal(parseNodeCursor(Buffer.from('0')), null);
    assert.equal(parseNodeCursor(Buffer.from('0-{06S}-0'))!.short, 0);
  });

  it('names every slot', () => {
    for (let slot = 0; slot < SLOT_COUNT; slot += 1) assert.equal(keySlot(`{${tagOf(slot)}}`), slot);
  });
});
