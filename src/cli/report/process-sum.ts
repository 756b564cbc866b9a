/** What processes that share a folder or Redis have counted together, for people and programs. */

import { join } from 'node:path';
import { FolderNotes, notesFolder } from '../../figures/folder-notes.js';
import type { FigureSum } from '../../figures/process-figures.js';
import { formatSum, readSum } from '../../figures/sum-report.js';
import { paintFor } from '../../report/paint.js';
import type { CommandIo } from '../command-io.js';
import { withRedis } from '../partitions/entry-source.js';
import type { RedisFlags } from '../redis-place.js';
import { UsageError } from '../usage-error.js';

/** The sum of those who have left their figures in a cache folder. */
export function sumInFolder(folder: string): Promise<FigureSum> {
  // Nothing is written: the modes are of no account.
  return readSum(new FolderNotes({ folder: join(folder, notesFolder), fileMode: 0o600, dirMode: 0o700 }));
}

/** The same in Redis. */
export function sumInRedis(flags: RedisFlags): Promise<FigureSum> {
  return withRedis(
    flags,
    () => undefined,
    ({ notes }) => readSum(notes),
  );
}

/** @throws UsageError where nobody has left any */
export function printSum(
  sum: FigureSum,
  place: string,
  { isJson, stdout }: { isJson: boolean } & CommandIo,
): void {
  if (sum.processes.length === 0)
    throw new UsageError(
      `No figures of processes in ${place}: they leave them by \`shareFigures(cache)\` of toolstash/metrics`,
    );
  const { stats, methods, processes } = sum;
  stdout.write(
    isJson
      ? `${JSON.stringify({ processes, stats, methods: Object.fromEntries(methods) }, undefined, 2)}\n`
      : formatSum(sum, { width: stdout.columns, paint: paintFor(stdout) }),
  );
}
