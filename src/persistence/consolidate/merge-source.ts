/** A partition that a merge takes over: its headers are read anew for each look at them, as a hostile file holds a million. */

import { PartitionDamagedError } from '../disk-errors.js';
import type { FileSystem, OpenFile } from '../file-system.js';
import { entryKind, type MemberHeader } from '../format/member-header.js';
import { type ScannedMember, scanPartition } from '../read/header-scan.js';

export class MergeSource {
  readonly path: string;
  readonly file: OpenFile;
  /** Bytes of the file as it was opened, and of the whole members in it. */
  readonly size: number;
  readonly bytes: number;
  /** Entries of all members together. */
  readonly entries: number;
  readonly fileId: string;
  readonly methodHash: string;
  readonly method: string | undefined;

  private constructor(file: OpenFile, facts: Omit<MergeSource, 'file' | 'eachMember'>) {
    this.file = file;
    this.path = facts.path;
    this.size = facts.size;
    this.bytes = facts.bytes;
    this.entries = facts.entries;
    this.fileId = facts.fileId;
    this.methodHash = facts.methodHash;
    this.method = facts.method;
  }

  /** A file as a source, or `undefined` where it can't be taken as a whole: damaged, plain, or of a later version. */
  static async open(files: FileSystem, path: string): Promise<MergeSource | undefined> {
    const file = await files.openToRead(path);
    try {
      const source = await MergeSource.#of(file, path);
      if (source !== undefined) return source;
    } catch (error) {
      // Why it can't be read matters more.
      await file.close().catch(() => undefined);
      throw error;
    }
    await file.close();
    return undefined;
  }

  static async #of(file: OpenFile, path: string): Promise<MergeSource | undefined> {
    const { size } = await file.status();
    let entries = 0;
    let first: MemberHeader | undefined;
    let method: string | undefined;
    let isKnown = true;
    const onMember = ({ header }: ScannedMember) => {
      first ??= header;
      method ??= header.method;
      entries += header.entries.count;
      isKnown &&= hasKnownKinds(header);
    };
    const scan = await scanPartition(file, { path, from: 0, nextMember: 0, until: size, onMember });
    if (scan.damage.length > 0 || scan.isNewer || !isKnown || first === undefined) return undefined;
    const { fileId, methodHash } = first;
    return new MergeSource(file, { path, size, bytes: scan.end, entries, fileId, methodHash, method });
  }

  /**
   * Goes through the members; the entries of a header are good until the visit is over.
   * @throws PartitionDamagedError when they are not what they were any more
   */
  async eachMember(visit: (member: ScannedMember) => void | Promise<void>): Promise<void> {
    const { path, bytes } = this;
    let entries = 0;
    const onMember = (member: ScannedMember) => {
      entries += member.header.entries.count;
      if (entries <= this.entries) return visit(member);
    };
    const scan = await scanPartition(this.file, { path, from: 0, nextMember: 0, until: bytes, onMember });
    if (scan.damage[0] !== undefined) throw scan.damage[0];
    if (scan.end === bytes && entries === this.entries) return;
    throw new PartitionDamagedError('a file that has changed while it was merged', { file: path });
  }
}

function hasKnownKinds({ entries }: MemberHeader): boolean {
  for (let entry = 0; entry < entries.count; entry += 1)
    if (entries.kind(entry) > entryKind.clearAll) return false;
  return true;
}
