/** A batch of waiting entries as what is written to each method's log. */

import { messageOf } from '../../errors.js';
import { inSlices } from '../../next-turn.js';
import {
  type EncodedEntry,
  encodeRangeTombstone,
  encodeTombstone,
  encodeValue,
} from '../format/member-body.js';
import { type RangeTombstone, unnamedMethod } from '../format/tombstone.js';
import type { BufferedEntry, WriteBuffer } from './write-buffer.js';

/** What a batch holds of one method. */
interface MethodBatch {
  /** Taken out as they are encoded. */
  readonly entries: (BufferedEntry | undefined)[];
  readonly markers: RangeTombstone[];
}

/** The batch's entries by method, encoded as they are asked for. */
export function encodeByMethod(batch: WriteBuffer): Map<string, () => Iterable<EncodedEntry>> {
  const grouping = groupByMethod(batch);
  for (;;) {
    const step = grouping.next();
    if (step.done) return encodingOf(step.value);
  }
}

const entriesPerStep = 1_000;

/** In steps, as there may be a million. */
function* groupByMethod(batch: WriteBuffer): Generator<void, Map<string, MethodBatch>> {
  const methods = new Map<string, MethodBatch>();
  const of = (method: string) => {
    let group = methods.get(method);
    if (group === undefined) {
      group = { entries: [], markers: [] };
      methods.set(method, group);
    }
    return group;
  };
  let count = 0;
  for (const marker of batch.tombstones.values()) {
    of(marker.scope.kind === 'method' ? marker.scope.method : unnamedMethod).markers.push(marker);
    if (++count % entriesPerStep === 0) yield;
  }
  for (const entry of batch.entries.values()) {
    of(entry.method).entries.push(entry);
    if (++count % entriesPerStep === 0) yield;
  }
  return methods;
}

function encodingOf(methods: Map<string, MethodBatch>): Map<string, () => Iterable<EncodedEntry>> {
  const encoded = new Map<string, () => Iterable<EncodedEntry>>();
  for (const [method, group] of methods) {
    encoded.set(method, function* () {
      for (const { scope, stamp } of group.markers) yield encodeRangeTombstone(scope, stamp);
      for (const [at, entry] of group.entries.entries()) {
        // What is written is let go of while the rest is encoded: a million would be in the collector's way.
        group.entries[at] = undefined;
        if (entry === undefined) continue;
        yield entry.kind === 'value' ? encodeValue(entry.record) : encodeTombstone(entry.key, entry.stamp);
      }
    });
  }
  return encoded;
}

/** `encodeByMethod` while others run. */
async function encodeInSlices(batch: WriteBuffer): Promise<Map<string, () => Iterable<EncodedEntry>>> {
  return encodingOf(await inSlices(groupByMethod(batch)));
}

/** Methods that are written at once: each waits for the disk several times. */
const methodsAtOnce = 32;

/** Writes a batch method by method: the file of one may fail where another's does not. Rejects with all that failed. */
export async function writeByMethod(
  batch: WriteBuffer,
  write: (method: string, entries: Iterable<EncodedEntry>) => Promise<void>,
): Promise<void> {
  const failures: unknown[] = [];
  const methods = (await encodeInSlices(batch)).entries();
  const work = async () => {
    for (const [method, entries] of methods) {
      try {
        await write(method, entries());
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: methodsAtOnce }, work));
  if (failures.length === 0) return;
  const [first] = failures;
  if (failures.length === 1) throw first;
  const reason = messageOf(first);
  throw new AggregateError(failures, `${reason} (and ${failures.length - 1} more methods failed)`);
}
