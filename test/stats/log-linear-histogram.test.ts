import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LoadTimeRecorder } from '../../src/stats/load-times.js';
import { LogLinearHistogram } from '../../src/stats/log-linear-histogram.js';

const shares = [0, 0.01, 0.5, 0.9, 0.95, 0.99, 1];
const number = fc.oneof(fc.nat(200), fc.nat(100_000), fc.integer({ min: 0, max: 2 ** 32 - 1 }));

function exactQuantile(numbers: readonly number[], share: number): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.max(1, Math.ceil(share * sorted.length)) - 1]!;
}

function histogramOf(numbers: readonly number[]): LogLinearHistogram {
  const histogram = new LogLinearHistogram();
  for (const each of numbers) histogram.record(each);
  return histogram;
}

describe('a log-linear histogram', () => {
  it('tells quantiles within 1/128, in whatever order numbers come, and the maximum exactly', () => {
    fc.assert(
      fc.property(fc.array(number, { minLength: 1, maxLength: 200 }), (numbers) => {
        const histogram = histogramOf(numbers);
        expect(histogram.max).toBe(Math.max(...numbers));
        for (const share of shares) {
          const exact = exactQuantile(numbers, share);
          expect(Math.abs(histogram.quantile(share) - exact)).toBeLessThanOrEqual(exact / 128);
        }
      }),
    );
  });

  it('adds another as if all had been recorded in one', () => {
    fc.assert(
      fc.property(fc.array(number), fc.array(number), (some, others) => {
        const sum = histogramOf(some);
        sum.add(histogramOf(others));
        const all = histogramOf([...some, ...others]);
        expect(sum.max).toBe(all.max);
        for (const share of shares) expect(sum.quantile(share)).toBe(all.quantile(share));
      }),
    );
  });

  it('of nothing tells 0', () => {
    expect(new LogLinearHistogram().quantile(0.5)).toBe(0);
  });
});

describe('a recorder of load times', () => {
  it('takes little memory, in the heap or outside, where there are many methods', () => {
    const { rss } = process.memoryUsage();
    const recorders = Array.from({ length: 3000 }, () => {
      const recorder = new LoadTimeRecorder();
      for (let loadMs = 20; loadMs <= 1000; loadMs *= 1.5) recorder.record(loadMs);
      return recorder;
    });
    // A native histogram of as many figures takes 37 KB that no heap statistics show: 110 MB.
    expect(process.memoryUsage().rss - rss).toBeLessThan(40_000_000);
    expect(recorders.every((recorder) => recorder.meanMs > 0)).toBe(true);
  });
});
