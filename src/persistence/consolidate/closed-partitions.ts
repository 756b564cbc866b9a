/**
 * Which partitions nobody appends to any more, as far as can be told from outside. A writer has one partition of a method
 * open at most. It goes on in a new one when that is full, when the day changes, after half of `closeAfter` without an
 * append, after a failed append, when the file was taken away, and when it has too many; it never comes back to an
 * earlier one.
 *
 * Nothing rests on this judgement but the work that a wrong one costs: clocks jump, and a process that was frozen for
 * an hour may go on with an append. An owner looks after each append whether its file is still in its place, and
 * otherwise appends again elsewhere; who takes a file away reads it only afterwards.
 */

import type { ResolvedDiskOptions } from '../disk-options.js';
import { dayEnd } from './plan.js';

/** What there is to see of a partition. */
export interface PartitionTraces {
  readonly path: string;
  /** The day in its name. */
  readonly day: string;
  /** The writer that its members name, if any. */
  readonly writer: string | undefined;
  readonly methodHash: string | undefined;
  /** When it was last appended to. */
  readonly modifiedAt: number;
}

/** What the judgement depends on. */
export interface ClosingFacts {
  readonly options: Pick<ResolvedDiskOptions, 'mode' | 'closeAfter' | 'networkCloseAfter'>;
  readonly now: number;
  /** Whether the folder is on a network file system. */
  readonly isOnNetwork: boolean;
  /** The id of this process's writer. */
  readonly writer: string;
  /** Whether a process has left the folder. */
  readonly hasLeft: (writer: string) => Promise<boolean>;
}

/** Named in place of a writer by partitions that were finished before they got their name. */
export const noWriter = '0'.repeat(16);

/** How far the clocks of processes that share a folder may be apart. */
const clockSlack = 2 * 3_600_000;

/** The paths of those that are closed. Partitions that this process appends to must not be among those asked for. */
export async function findClosed(
  partitions: readonly PartitionTraces[],
  facts: ClosingFacts,
): Promise<Set<string>> {
  const { options, now, isOnNetwork } = facts;
  const { closeAfter, networkCloseAfter } = options;
  const wait = isOnNetwork ? Math.max(closeAfter, networkCloseAfter) : closeAfter;
  // Of its own this process knows which it goes on with.
  const isOver = ({ modifiedAt, writer }: PartitionTraces) =>
    now - modifiedAt > wait || writer === facts.writer;
  const pathsOf = (closed: readonly PartitionTraces[]) => new Set(closed.map(({ path }) => path));
  if (isOnNetwork) return pathsOf(partitions.filter(isOver));
  if (options.mode === 'single') return pathsOf(partitions);
  const lastAppends = findLastAppends(partitions);
  const closed = pathsOf(
    partitions.filter((partition) => {
      const { day, writer, modifiedAt } = partition;
      if (isOver(partition) || writer === noWriter || dayEnd(day) + clockSlack <= now) return true;
      return writer !== undefined && modifiedAt < lastAppends.get(logOf(partition))!;
    }),
  );
  const left = new Map<string, boolean>();
  for (const { path, writer } of partitions) {
    if (writer === undefined || closed.has(path)) continue;
    if (!left.has(writer)) left.set(writer, await facts.hasLeft(writer));
    if (left.get(writer)) closed.add(path);
  }
  return closed;
}

/** When each writer last appended to a partition of a method: one that is older was followed by another. */
function findLastAppends(partitions: readonly PartitionTraces[]): Map<string, number> {
  const last = new Map<string, number>();
  for (const partition of partitions) {
    const log = logOf(partition);
    last.set(log, Math.max(partition.modifiedAt, last.get(log) ?? Number.NEGATIVE_INFINITY));
  }
  return last;
}

function logOf({ writer, methodHash }: PartitionTraces): string {
  return `${writer} ${methodHash}`;
}
