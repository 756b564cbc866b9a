/** A partition file, and a place in one, as an index knows them. */

import type { Stamp } from '../../stamp.js';

/** A partition file that was found. */
export interface FoundFile {
  readonly path: string;
  readonly isReadOnly: boolean;
  readonly methodHash: string | undefined;
}

/** A file that entries are read from. */
export interface PartitionFile {
  /** Where it was last seen. Once an index knows the file, that moves it: it finds files by path. */
  path: string;
  /** The id its members carry; for plain files one that was made up. */
  readonly id: string;
  /** Of the method its entries belong to; `undefined` where a plain file doesn't tell. */
  readonly methodHash: string | undefined;
  method: string | undefined;
  /** The writer that its members name; `undefined` for plain files. */
  readonly writer?: string | undefined;
  /** Whether it was given by the caller: such files are only ever read. */
  readonly isReadOnly: boolean;
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

/** What a plain file says of an entry. */
export interface PlainEntryFacts {
  readonly key: string;
  readonly stamp: Stamp;
  readonly expiresAt: number | null;
  readonly offset: number;
  readonly methodHash: string | undefined;
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

/** Where a member lies. */
export interface MemberPlace {
  readonly path: string;
  readonly fileId: string;
  readonly isPlain: boolean;
  readonly position: number;
  readonly length: number;
}
