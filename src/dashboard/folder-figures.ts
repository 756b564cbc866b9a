/** The files of a folder by method, read again no more often than it takes. */

import { inspectFiles } from '../persistence/offline/inspection.js';
import type { PartitionFigures } from './figures.js';

/** Milliseconds for which figures count as they are, at least. */
const leastAge = 10_000;

/** Readings take at most this share of the time. */
const mostOften = 1 / 20;

/** Reads them at the first call, and again in the background once they are old. */
export function folderFigures(folder: string): () => Promise<readonly PartitionFigures[]> {
  let latest: Promise<readonly PartitionFigures[]> | undefined;
  let known: typeof latest;
  let freshUntil = 0;
  return () => {
    const startedAt = performance.now();
    if (latest === undefined || startedAt > freshUntil) {
      freshUntil = Number.POSITIVE_INFINITY;
      const before = known;
      const reading = readFigures(folder).finally(() => {
        const took = performance.now() - startedAt;
        freshUntil = performance.now() + Math.max(leastAge, took / mostOften);
      });
      // Nobody may be waiting for it when it fails.
      reading.then(
        () => {
          known = reading;
        },
        () => undefined,
      );
      latest = before === undefined ? reading : reading.catch(() => before);
      return before ?? reading;
    }
    return latest;
  };
}

/** The figures of a folder now. */
export async function readFigures(folder: string): Promise<readonly PartitionFigures[]> {
  const { methods } = await inspectFiles([folder]);
  return methods.map(({ method, partitions, bytes, values, deletions, expired, oldest, newest }) => ({
    ...{ method, partitions, bytes, values, deletions, expired, oldest, newest },
  }));
}
