/** Reads the members of files one after another: the small ones many with one reading, which takes less than one each. */

import { PartitionDamagedError } from '../disk-errors.js';
import type { OpenFile } from '../file-system.js';
import { TableRoom } from '../format/header-entries.js';
import type { MemberPlace } from '../index/partition-file.js';
import { ReadAhead } from './read-ahead.js';
import { isSmall, smallBody } from './small-member.js';

/** What a run reads with. */
export interface MemberRunInit {
  readonly open: (path: string) => Promise<OpenFile>;
  /** The body of a member by itself: of a large one, and of one with which anything is wrong. */
  readonly alone: (place: MemberPlace) => Buffer | Promise<Buffer>;
  readonly maxMemberBytes: number;
}

export class MemberRun {
  readonly #init: MemberRunInit;
  readonly #tables = new TableRoom();
  #path: string | undefined;
  #ahead: ReadAhead | undefined;

  constructor(init: MemberRunInit) {
    this.#init = init;
  }

  /** The inflated body of a member, whole and checked. */
  async body(place: MemberPlace): Promise<Buffer> {
    return (await this.#among(place)) ?? this.#init.alone(place);
  }

  /** Nothing where it has to be read alone: that tells what is wrong. */
  async #among(place: MemberPlace): Promise<Buffer | undefined> {
    const { path, position, length, fileId } = place;
    if (!isSmall(place)) return undefined;
    try {
      const ahead = await this.#aheadIn(path);
      const bytes = ahead.at(length, position) ?? (await ahead.read(length, position));
      return smallBody(bytes, { fileId, tables: this.#tables, maxBytes: this.#init.maxMemberBytes });
    } catch (error) {
      // The file may have been closed meanwhile, as others were read.
      if (!(error instanceof PartitionDamagedError)) this.#path = undefined;
      return undefined;
    }
  }

  async #aheadIn(path: string): Promise<ReadAhead> {
    if (this.#path === path && this.#ahead !== undefined) return this.#ahead;
    const file = await this.#init.open(path);
    this.#ahead = new ReadAhead(file, (await file.status()).size);
    this.#path = path;
    return this.#ahead;
  }
}
