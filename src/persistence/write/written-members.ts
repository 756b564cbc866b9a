/** Members that this process has written, taken into the index without reading them. */

import type { PartitionIndex } from '../index/partition-index.js';
import type { WrittenMember } from './partition-writer.js';

/** Lets the index know a member of this process's own. */
export function indexWritten(index: PartitionIndex, { header, position, path, method }: WrittenMember): void {
  const { fileId: id, methodHash, writer } = header;
  const isOurs = { isReadOnly: false, isPlain: false, isGone: false, scannedBytes: 0, nextMember: 0 };
  const file =
    index.fileTable.find(id) ?? index.fileTable.add({ ...isOurs, path, id, methodHash, method, writer });
  index.addMember(file, position, header, { now: Number.NEGATIVE_INFINITY });
  file.scannedBytes = position + header.memberLength;
  file.nextMember = header.memberNumber + 1;
}
