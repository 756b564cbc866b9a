/** A partition file, and a place in one, as an index knows them. */

import type { Stamp } from '../stamp.js';

/** A file that entries are read from. */
export interface PartitionFile {
  /** Where it was last seen. */
  path: string;
  /** The id its members carry; for plain files one that was made up. */
  readonly id: string;
  /** Of the method its entries belong to; `undefined` where a plain file doesn't tell. */
  readonly methodHash: string | undefined;
  method: string | undefined;
  /** The writer that its members name; `undefined` for plain files. */
  readonly writer?: string | undefined;
  /** Whether it was given by the caller: such files are only ever read. */
  readonly isGiven: boolean;
  /** Whether its members lack our header field; then the whole file is inflated as one body. */
  readonly isPlain: boolean;
  /** How far it was read: the byte after the last member that is known. */
  scannedBytes: number;
  /** The number that the next member must have. */
  nextMember: number;
  isGone: boolean;
  /** Whether it has members of a later version of the format: such files are never moved. */
  isNewer?: boolean;
}

/** Where an entry lies, and what its header says. */
export interface EntryPlace {
  /** The number of the key's record, and of the member; for the index's own use. */
  readonly record: number;
  readonly member: number;
  readonly key: string;
  readonly file: PartitionFile;
  readonly position: number;
  readonly length: number;
  readonly offset: number;
  readonly stamp: Stamp;
  readonly expiresAt: number | null;
}
