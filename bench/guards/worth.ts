/** Worth: the tool time that gdsf and the other stores save at equal bytes, on the workload of `toolstash replay`. */

import { isDeepStrictEqual } from 'node:util';
import { generateWorkload, workloadWrites } from '../../src/cli/replay/workload.js';
import { CacheManager } from '../../src/index.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { printTable } from '../report.js';

const evictions = ['lru', 'lfu', 'fifo', 'gdsf'] as const;

/** Replays the trace call by call in virtual time: a load takes what was recorded for it. */
export async function benchWorth({
  isQuick,
  seed,
}: {
  readonly isQuick: boolean;
  readonly seed: number;
}): Promise<void> {
  const { calls } = generateWorkload({ seed, tasks: isQuick ? 24 : 192 });
  const isWrite = (name: string) => workloadWrites.some((glob) => name.startsWith(glob.replace('*', '')));
  const reads = calls.filter(({ tool, failed }) => !failed && !isWrite(tool));
  const allMs = reads.reduce((sum, { durationMs }) => sum + (durationMs ?? 0), 0);
  const rows: string[][] = [];
  for (const kilobytes of [64, 128, 256, 512, 1024]) {
    const shares: string[] = [];
    for (const eviction of evictions) {
      const clock = new FakeClock();
      const cache = new CacheManager({ clock, eviction, maxSize: 1_000_000, maxBytes: kilobytes * 1024 });
      let spentMs = 0;
      for (const { tool, args, result, durationMs } of reads) {
        const answer = await cache.getOrSet(tool, args, () => {
          clock.advance(durationMs ?? 0);
          spentMs += durationMs ?? 0;
          return result;
        });
        if (!isDeepStrictEqual(answer, result)) throw new Error(`${eviction}: wrong answer of ${tool}`);
      }
      await cache.close();
      shares.push(`${(((allMs - spentMs) / allMs) * 100).toFixed(1)} %`);
    }
    rows.push([`${kilobytes} KiB`, ...shares]);
  }
  printTable({
    title: 'Worth: tool time saved at equal bytes',
    note: `${reads.length} calls of the generated workload, one after the other, ${(allMs / 60_000).toFixed(0)} minutes of tool time.`,
    head: ['maxBytes', ...evictions],
    rows,
  });
}
