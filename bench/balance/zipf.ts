/** Numbers as people ask for things: the first most, the second less, and so on (Zipf's law). */
import type { Random } from '../../test/sim/random.ts';

/** @returns what draws a number from 0 to `count - 1`, number n with a chance in proportion to 1 / (n + 1) ** exponent */
export function zipf(count: number, exponent: number, random: Random): () => number {
  const sums = new Float64Array(count);
  let total = 0;
  for (let number = 0; number < count; number += 1) {
    total += 1 / (number + 1) ** exponent;
    sums[number] = total;
  }
  return () => {
    const wanted = random.between(0, total);
    let [low, high] = [0, count - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle]! < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}
