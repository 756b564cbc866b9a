/** Finds entries in the index and reads them from their members. */

import type { Clock } from '../clock.js';
import { CacheClosedError, CacheError, messageOf } from '../errors.js';
import { TimeSlice } from '../next-turn.js';
import type { TierRecord } from '../tier.js';
import { damageAt, PartitionDamagedError } from './disk-errors.js';
import type { DiskFolder } from './disk-folder.js';
import { hasCode } from './file-system.js';
import { BodyScanner } from './format/body-scanner.js';
import { readEntryBody, type ValueBody, wholeTime } from './format/entry-body.js';
import { atOnceBytes, readEntryAt } from './format/member-body.js';
import { hashMethod } from './format/partition-name.js';
import { hashTag } from './format/tombstone.js';
import type { MemberPlace } from './index/partition-file.js';
import type { EntryPlace, PartitionIndex } from './index/partition-index.js';
import { FileChangedError } from './read/member-reader.js';
import type { MemberRun } from './read/member-run.js';
import { isSmall } from './read/small-member.js';

/** Members that are read and inflated ahead for whoever goes through all entries. */
const membersAhead = 4;
/** Entries that are looked at without a pause. */
const entriesAtOnce = 64;

type Answer = TierRecord | 'changed' | undefined;

export class EntryReader {
  readonly #folder: DiskFolder;
  readonly #clock: Clock;

  constructor(store: DiskFolder, clock: Clock) {
    this.#folder = store;
    this.#clock = clock;
  }

  /**
   * The newest entry of a key; `changed` when it was replaced while it was read, or has moved. A promise only where anything
   * has to be waited for.
   */
  read(key: string, method: string): Answer | Promise<Answer> {
    const methodHash = hashMethod(method);
    const { index, reader } = this.#folder;
    if (index.unreadable.concerning(methodHash) !== undefined) return this.#readOnceReadable(key, method);
    const place = index.find(key, methodHash);
    if (place === undefined || this.#isExpired(place)) return undefined;
    if (!place.file.isPlain && place.file.methodHash !== methodHash) return undefined;
    const bytes = reader.body(memberOf(place));
    return bytes instanceof Promise
      ? this.#readLater(bytes, place, method)
      : this.#answer(bytes, place, method, index);
  }

  async #readOnceReadable(key: string, method: string): Promise<Answer> {
    await this.#assertReadable(hashMethod(method));
    return this.read(key, method);
  }

  async #readLater(reading: Promise<Buffer>, place: EntryPlace, method: string): Promise<Answer> {
    const { index } = this.#folder;
    let bytes: Buffer;
    try {
      bytes = await reading;
    } catch (error) {
      if (!hasMoved(error)) throw this.#failed(error, place);
      if (!this.#isCurrent(place, index)) return 'changed';
      await this.#folder.refresh();
      // Nobody has it any more.
      if (this.#isCurrent(place, index) && place.file.isReadOnly) index.forget(place);
      return 'changed';
    }
    const answer = this.#answer(bytes, place, method, index);
    const isStill = this.#isCurrent(place, index) && !index.isCleared(hashMethod(method), place.stamp);
    return isStill ? answer : 'changed';
  }

  #answer(bytes: Buffer, place: EntryPlace, method: string, index: PartitionIndex): TierRecord | undefined {
    let body: ValueBody;
    try {
      body = parseBody(place, bytes);
    } catch (error) {
      throw this.#failed(error, place);
    }
    if (body.method !== undefined && body.method !== method) return undefined;
    if (body.tags !== undefined && isTagInvalid(body.tags, place, index)) return undefined;
    return toRecord(place, method, body);
  }

  /** Rejects while a file can't be read that may hold something newer: an older value would be a wrong answer. */
  async #assertReadable(methodHash: string): Promise<void> {
    if (this.#folder.index.unreadable.concerning(methodHash) === undefined) return;
    await this.#folder.retry().catch((error: unknown) => this.#folder.noteFailure(error));
    const path = this.#folder.index.unreadable.concerning(methodHash);
    if (path === undefined) return;
    throw new CacheError('ERR_STORAGE', `Expected to read ${path}, which may hold newer entries`);
  }

  /**
   * All entries whose method is known, some of one member at a time; each is looked at as it is taken. Damage is reported
   * and passed over. Files of other methods than `method` are left out.
   */
  async *all(method?: string): AsyncGenerator<Iterable<TierRecord>> {
    const { index } = this.#folder;
    const groups = groupsByMember(index, method === undefined ? undefined : hashMethod(method));
    const run = this.#folder.reader.run();
    const ahead: Uint32Array[] = [];
    const slice = new TimeSlice();
    for (;;) {
      while (ahead.length < membersAhead) {
        const next = groups.next();
        if (next.done) break;
        ahead.push(next.value);
        this.#readAhead(index.placeOf(next.value[0]!));
      }
      const group = ahead.shift();
      if (group === undefined) return;
      const bytes = await this.#memberBytes(index.placeOf(group[0]!), run);
      const listed = { index, member: index.memberOf(group[0]!), bytes };
      for (let from = 0; from < group.length; from += entriesAtOnce) {
        // A plain file is one group, however many entries it holds.
        if (slice.isOver) await slice.next();
        const others: EntryPlace[] = [];
        yield this.#listing(group.subarray(from, from + entriesAtOnce), listed, others);
        for (const place of others) {
          const found = await this.#entry(place);
          if (found !== undefined) yield [found];
        }
      }
    }
  }

  /** Entries of bytes that are there; those that have to be read are put among the others. */
  *#listing(
    records: Uint32Array,
    { index, member, bytes }: { index: PartitionIndex; member: number; bytes: Buffer | undefined },
    others: EntryPlace[],
  ): IterableIterator<TierRecord> {
    for (const record of records) {
      const place = index.placeOf(record);
      if (place === undefined || this.#isExpired(place)) continue;
      if (index.unreadable.concerning(place.file.methodHash) !== undefined) continue;
      const isReadable = bytes !== undefined && place.member === member && this.#isCurrent(place, index);
      const found = isReadable ? this.#listed(place, bytes) : undefined;
      if (found !== undefined) yield found;
      else if (!isReadable) others.push(place);
    }
  }

  /** Begins to read what is not read among others. It is not held here: the reader keeps what memory has room for. */
  #readAhead(place: EntryPlace | undefined): void {
    if (place === undefined) return;
    const member = memberOf(place);
    if (!isSmall(member)) void this.#attempt(() => this.#folder.reader.body(member));
  }

  /** The bytes of a member, or nothing where reading fails: then each of its entries is tried, and tells why. */
  async #memberBytes(place: EntryPlace | undefined, run: MemberRun): Promise<Buffer | undefined> {
    return place === undefined ? undefined : this.#attempt(() => run.body(memberOf(place)));
  }

  async #attempt(read: () => Buffer | Promise<Buffer>): Promise<Buffer | undefined> {
    try {
      return await read();
    } catch {
      return undefined;
    }
  }

  /** An entry of bytes that are there already. */
  #listed(place: EntryPlace, bytes: Buffer): TierRecord | undefined {
    let body: ValueBody;
    try {
      body = parseBody(place, bytes);
    } catch (error) {
      this.#failed(error, place);
      return undefined;
    }
    const method = place.file.method ?? body.method;
    if (method === undefined || (body.method ?? method) !== method) return undefined;
    const { index } = this.#folder;
    const methodHash = hashMethod(method);
    if (index.isCleared(methodHash, place.stamp)) return undefined;
    if (index.unreadable.concerning(methodHash) !== undefined) return undefined;
    if (body.tags !== undefined && isTagInvalid(body.tags, place, index)) return undefined;
    return toRecord(place, method, body, bytes.length <= atOnceBytes);
  }

  async #entry(place: EntryPlace): Promise<TierRecord | undefined> {
    try {
      const method = place.file.method ?? (await this.#methodIn(place));
      if (method === undefined) return undefined;
      for (let attempt = 0; attempt < 2; attempt += 1) {
        const found = await this.read(place.key, method);
        if (found !== 'changed') return found;
      }
    } catch (error) {
      if (error instanceof CacheClosedError) throw error;
      if (error instanceof PartitionDamagedError) this.#failed(error, place);
      else if (!hasMoved(error)) this.#folder.noteFailure(error);
    }
    return undefined;
  }

  async #methodIn(place: EntryPlace): Promise<string | undefined> {
    return parseBody(place, await this.#folder.reader.body(memberOf(place))).method;
  }

  /** Takes note of a failed reading, and makes it one of ours. Damage is forgotten, so that it fails but once. */
  #failed(error: unknown, place: EntryPlace): CacheError {
    if (error instanceof PartitionDamagedError) {
      if (this.#folder.index.isCurrent(place)) {
        // A given file is only ever read, so its damage is told and left alone.
        if (place.file.isReadOnly) this.#folder.noteFailure(error);
        else this.#folder.noteDamage(error);
      }
      this.#folder.index.forget(place);
      return error;
    }
    if (error instanceof CacheError) return error;
    const reason = messageOf(error);
    return new CacheError('ERR_STORAGE', `Reading ${place.file.path} failed: ${reason}`, { cause: error });
  }

  #isCurrent(place: EntryPlace, index: DiskFolder['index']): boolean {
    return this.#folder.index === index && index.isCurrent(place);
  }

  #isExpired(place: EntryPlace): boolean {
    return place.expiresAt !== null && this.#clock.now() >= place.expiresAt;
  }
}

function isTagInvalid(tags: readonly string[], { stamp }: EntryPlace, index: PartitionIndex): boolean {
  if (!index.tombstones.hasTags) return false;
  return tags.some((tag) => index.isTagInvalid(hashTag(tag), stamp));
}

function memberOf({ file, position, length }: EntryPlace): MemberPlace {
  return { path: file.path, fileId: file.id, isPlain: file.isPlain, position, length };
}

/** The value at a place of its member's body, which has to agree with what the header says of it. */
function parseBody(place: EntryPlace, bytes: Buffer): ValueBody {
  const { file, position, offset, key } = place;
  let entry: ReturnType<typeof readEntryBody>;
  try {
    entry = file.isPlain ? readEntryBody(new BodyScanner(bytes, offset)) : readEntryAt(bytes, offset, key);
  } catch (error) {
    throw damageAt(error, file.path, position);
  }
  if (entry.kind === 'value') {
    const { expiresAt } = entry.metadata;
    if (expiresAt === place.expiresAt || wholeTime(expiresAt) === wholeTime(place.expiresAt)) return entry;
  }
  const where = { file: file.path, offset: position };
  throw new PartitionDamagedError('a header that does not match its body', where);
}

function hasMoved(error: unknown): boolean {
  return error instanceof FileChangedError || hasCode(error, 'ENOENT');
}

/** The records that are values now, member by member: all, or those of files that may hold entries of a method. */
function* groupsByMember(index: PartitionIndex, methodHash?: string): Generator<Uint32Array> {
  const records = index.valueRecords();
  for (let start = 0; start < records.length; ) {
    const member = index.memberOf(records[start]!);
    let end = start + 1;
    while (end < records.length && index.memberOf(records[end]!) === member) end += 1;
    const { isPlain, methodHash: own } = index.fileOf(member);
    if (methodHash === undefined || isPlain || own === methodHash) yield records.subarray(start, end);
    start = end;
  }
}

/** With copies of the bytes, since a slice keeps its whole member in memory; where that is small, who lists all may. */
function toRecord(place: EntryPlace, method: string, body: ValueBody, isSlice = false): TierRecord {
  const { metadata, tags, scope, version, task, rollout } = body;
  const params = body.encodedParams;
  return {
    key: place.key,
    method,
    metadata,
    stamp: place.stamp,
    encoded: isSlice ? body.encoded : new Uint8Array(body.encoded),
    ...(tags === undefined ? {} : { tags }),
    ...(params === undefined ? {} : { encodedParams: isSlice ? params : new Uint8Array(params) }),
    ...(scope === undefined ? {} : { scope }),
    ...(version === undefined ? {} : { version }),
    ...(task === undefined ? {} : { task }),
    ...(rollout === undefined ? {} : { rollout }),
  };
}
