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
