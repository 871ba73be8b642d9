/** Keys that are there before the first slot moves: nobody writes them again, so each is to be there as it was. */
import type { Redis } from 'ioredis';
import { type Finding, judgeValue, OK, sumOf } from './judge.ts';

const BATCH = 500;
/** Of a value. */
const BYTES = 100;

const keyOf = (number: number): string => `ballast:${number}`;
/** Another for every key. */
const textOf = (number: number, bytes: number): string => `value of ${keyOf(number)} `.padEnd(bytes, '.');

function* batches(count: number): Generator<number[]> {
  for (let from = 0; from < count; from += BATCH) {
    yield Array.from({ length: Math.min(BATCH, count - from) }, (_, index) => from + index);
  }
}

/** Writes so many. @throws when one is not acknowledged */
export async function fillBallast(client: Redis, count: number, bytes = BYTES): Promise<void> {
  for (const numbers of batches(count)) {
    await client.mset(...numbers.flatMap((number) => [keyOf(number), textOf(number, bytes)]));
  }
}

/** What is missing of so many, or has another value. */
export async function checkBallast(client: Redis, count: number, bytes = BYTES): Promise<Finding> {
  const findings: Finding[] = [];
  for (const numbers of batches(count)) {
    const values = await client.mget(...numbers.map(keyOf));
    findings.push(...numbers.map((number, index) => judgeValue(OK, textOf(number, bytes), values[index]!)));
  }
  return sumOf(findings);
}
