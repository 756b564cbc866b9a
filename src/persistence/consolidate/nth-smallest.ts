/** The n-th smallest of many numbers, found step by step: sorting a million at once would stall the event loop. */

const numbersAtOnce = 16_384;
const sortedAtOnce = 4_096;
const buckets = 1_024;

/**
 * Counts the numbers in equal parts of their range, and goes on with the part that the n-th lies in.
 * @param n from 1; 0 comes to less than any number
 */
export function* nthSmallest(numbers: Float64Array, n: number): Generator<void, number> {
  if (n < 1 || numbers.length === 0) return Number.NEGATIVE_INFINITY;
  let rest = numbers;
  let place = Math.min(n, numbers.length);
  for (;;) {
    if (rest.length <= sortedAtOnce) return rest.slice().sort()[place - 1]!;
    let low = Number.POSITIVE_INFINITY;
    let high = Number.NEGATIVE_INFINITY;
    for (const part of parts(rest)) {
      for (const number of part) {
        if (number < low) low = number;
        if (number > high) high = number;
      }
      yield;
    }
    const width = (high - low) / buckets;
    // All the same, or too close to be told apart.
    if (!(width > 0)) return high;
    const bucketOf = (number: number) => Math.min(buckets - 1, Math.floor((number - low) / width));
    const counts = new Uint32Array(buckets);
    for (const part of parts(rest)) {
      for (const number of part) counts[bucketOf(number)]! += 1;
      yield;
    }
    let bucket = 0;
    while (place > counts[bucket]!) place -= counts[bucket++]!;
    const chosen = new Float64Array(counts[bucket]!);
    let count = 0;
    for (const part of parts(rest)) {
      for (const number of part) if (bucketOf(number) === bucket) chosen[count++] = number;
      yield;
    }
    rest = chosen;
  }
}

function* parts(numbers: Float64Array): IterableIterator<Float64Array> {
  for (let at = 0; at < numbers.length; at += numbersAtOnce) yield numbers.subarray(at, at + numbersAtOnce);
}
