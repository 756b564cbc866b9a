/** A batch of waiting entries as what is written to each method's log. */

import { type EncodedEntry, encodeDeletion, encodeMarker, encodeValue } from './member-body.js';
import type { PendingEntries, PendingEntry, PendingMarker } from './pending-entries.js';

/** Markers for all methods live in the log of the method without a name. */
export const markerMethod = '';

/** The batch's entries by method, encoded as they are asked for. */
export function encodeByMethod(batch: PendingEntries): Map<string, () => Iterable<EncodedEntry>> {
  const methods = new Map<string, { entries: PendingEntry[]; markers: PendingMarker[] }>();
  const of = (method: string) => {
    let group = methods.get(method);
    if (group === undefined) {
      group = { entries: [], markers: [] };
      methods.set(method, group);
    }
    return group;
  };
  for (const marker of batch.markers.values()) {
    of(marker.scope.kind === 'method' ? marker.scope.method : markerMethod).markers.push(marker);
  }
  for (const entry of batch.entries.values()) of(entry.method).entries.push(entry);
  const encoded = new Map<string, () => Iterable<EncodedEntry>>();
  for (const [method, group] of methods) {
    encoded.set(method, function* () {
      for (const { scope, stamp } of group.markers) yield encodeMarker(scope, stamp);
      for (const entry of group.entries) {
        yield entry.kind === 'value' ? encodeValue(entry.record) : encodeDeletion(entry.key, entry.stamp);
      }
    });
  }
  return encoded;
}

/** Writes a batch method by method: the file of one may fail where another's does not. Rejects with all that failed. */
export async function writeByMethod(
  batch: PendingEntries,
  write: (method: string, entries: Iterable<EncodedEntry>) => Promise<void>,
): Promise<void> {
  const failures: unknown[] = [];
  for (const [method, entries] of encodeByMethod(batch)) {
    try {
      await write(method, entries());
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length === 0) return;
  const [first] = failures;
  if (failures.length === 1) throw first;
  const reason = first instanceof Error ? first.message : String(first);
  throw new AggregateError(failures, `${reason} (and ${failures.length - 1} more methods failed)`);
}
