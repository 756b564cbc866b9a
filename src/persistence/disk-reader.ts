/** Finds entries in the index and reads them from their members. */

import type { Clock } from '../clock.js';
import { CacheError } from '../errors.js';
import type { TierRecord } from '../tier.js';
import { damageAt, PartitionDamagedError } from './damage.js';
import type { DiskStore } from './disk-store.js';
import { readEntryBody, type ValueBody, wholeTime } from './entry-body.js';
import { hasCode } from './file-system.js';
import { hashTag, readEntryAt } from './member-body.js';
import { FileChangedError } from './member-reader.js';
import { MsgpackReader } from './msgpack-bytes.js';
import type { EntryPlace, PartitionIndex } from './partition-index.js';
import { hashMethod } from './partition-path.js';

/** Members that are read and inflated ahead for whoever goes through all entries. */
const membersAhead = 4;

export class DiskReader {
  readonly #store: DiskStore;
  readonly #clock: Clock;

  constructor(store: DiskStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** The newest entry of a key; `changed` when it was replaced while it was read, or has moved. */
  async read(key: string, method: string): Promise<TierRecord | 'changed' | undefined> {
    const methodHash = hashMethod(method);
    await this.#assertReadable(methodHash);
    const { index } = this.#store;
    const place = index.find(key, methodHash);
    if (place === undefined || this.#isExpired(place)) return undefined;
    if (!place.file.isPlain && place.file.methodHash !== methodHash) return undefined;
    let body: ValueBody;
    try {
      body = await this.#body(place);
    } catch (error) {
      if (!hasMoved(error)) throw this.#failed(error, place);
      if (!this.#isCurrent(place, index)) return 'changed';
      await this.#store.refresh();
      // Nobody has it any more.
      if (this.#isCurrent(place, index) && place.file.isGiven) index.forget(place);
      return 'changed';
    }
    if (!this.#isCurrent(place, index) || index.isCleared(methodHash, place.stamp)) return 'changed';
    if (body.method !== undefined && body.method !== method) return undefined;
    if (this.#isTagInvalid(body, place)) return undefined;
    return toRecord(place, method, body);
  }

  /** Rejects while a file can't be read that may hold something newer: an older value would be a wrong answer. */
  async #assertReadable(methodHash: string): Promise<void> {
    if (this.#store.index.unreadable.concerning(methodHash) === undefined) return;
    await this.#store.retry().catch((error: unknown) => this.#store.noteFailure(error));
    const path = this.#store.index.unreadable.concerning(methodHash);
    if (path === undefined) return;
    throw new CacheError('ERR_STORAGE', `Expected to read ${path}, which may hold newer entries`);
  }

  /** All entries whose method is known, member by member. Damage is reported and passed over. */
  async *all(): AsyncGenerator<TierRecord> {
    const { index } = this.#store;
    const groups = groupsByMember(index);
    const ahead: Uint32Array[] = [];
    for (;;) {
      while (ahead.length < membersAhead) {
        const next = groups.next();
        if (next.done) break;
        ahead.push(next.value);
        // Not held here: the reader keeps as many inflated members as memory has room for.
        void this.#memberBytes(index.placeOf(next.value[0]!));
      }
      const group = ahead.shift();
      if (group === undefined) return;
      const member = index.memberOf(group[0]!);
      const bytes = await this.#memberBytes(index.placeOf(group[0]!));
      for (const record of group) {
        const place = index.placeOf(record);
        if (place === undefined || this.#isExpired(place)) continue;
        if (index.unreadable.concerning(place.file.methodHash) !== undefined) continue;
        const isReadable = bytes !== undefined && place.member === member && this.#isCurrent(place, index);
        const found = isReadable ? this.#listed(place, bytes) : await this.#entry(place);
        if (found !== undefined) yield found;
      }
    }
  }

  /** The bytes of a member, or nothing where reading fails: then each of its entries is tried, and tells why. */
  #memberBytes(place: EntryPlace | undefined): Promise<Buffer | undefined> {
    if (place === undefined) return Promise.resolve(undefined);
    const { path, id, isPlain } = place.file;
    const { position, length } = place;
    return this.#store.reader.body({ path, fileId: id, isPlain, position, length }).catch(() => undefined);
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
    const { index } = this.#store;
    const methodHash = hashMethod(method);
    if (index.isCleared(methodHash, place.stamp)) return undefined;
    if (index.unreadable.concerning(methodHash) !== undefined) return undefined;
    return this.#isTagInvalid(body, place) ? undefined : toRecord(place, method, body);
  }

  async #entry(place: EntryPlace): Promise<TierRecord | undefined> {
    try {
      const method = place.file.method ?? (await this.#body(place)).method;
      if (method === undefined) return undefined;
      for (let attempt = 0; attempt < 2; attempt += 1) {
        const found = await this.read(place.key, method);
        if (found !== 'changed') return found;
      }
    } catch (error) {
      if (error instanceof PartitionDamagedError) this.#failed(error, place);
      else if (!hasMoved(error)) this.#store.noteFailure(error);
    }
    return undefined;
  }

  async #body(place: EntryPlace): Promise<ValueBody> {
    const { file, position, length } = place;
    const { path, id, isPlain } = file;
    const bytes = await this.#store.reader.body({ path, fileId: id, isPlain, position, length });
    return parseBody(place, bytes);
  }

  /** Takes note of a failed reading, and makes it one of ours. Damage is forgotten, so that it fails but once. */
  #failed(error: unknown, place: EntryPlace): CacheError {
    if (error instanceof PartitionDamagedError) {
      if (this.#store.index.isCurrent(place)) {
        // A given file is only ever read, so its damage is told and left alone.
        if (place.file.isGiven) this.#store.noteFailure(error);
        else this.#store.noteDamage(error);
      }
      this.#store.index.forget(place);
      return error;
    }
    if (error instanceof CacheError) return error;
    const reason = error instanceof Error ? error.message : String(error);
    return new CacheError('ERR_STORAGE', `Reading ${place.file.path} failed: ${reason}`, { cause: error });
  }

  #isCurrent(place: EntryPlace, index: DiskStore['index']): boolean {
    return this.#store.index === index && index.isCurrent(place);
  }

  #isExpired(place: EntryPlace): boolean {
    return place.expiresAt !== null && this.#clock.now() >= place.expiresAt;
  }

  #isTagInvalid(body: ValueBody, place: EntryPlace): boolean {
    const { index } = this.#store;
    if (!index.hasTags || body.tags === undefined) return false;
    return body.tags.some((tag) => index.isTagInvalid(hashTag(tag), place.stamp));
  }
}

/** The value at a place of its member's body, which has to agree with what the header says of it. */
function parseBody(place: EntryPlace, bytes: Buffer): ValueBody {
  const { file, position, offset, key } = place;
  let entry: ReturnType<typeof readEntryBody>;
  try {
    entry = file.isPlain ? readEntryBody(new MsgpackReader(bytes, offset)) : readEntryAt(bytes, offset, key);
  } catch (error) {
    throw damageAt(error, file.path, position);
  }
  const agrees = entry.kind === 'value' && wholeTime(entry.metadata.expiresAt) === wholeTime(place.expiresAt);
  if (entry.kind === 'value' && agrees) return entry;
  const where = { file: file.path, offset: position };
  throw new PartitionDamagedError('a header that does not match its body', where);
}

function hasMoved(error: unknown): boolean {
  return error instanceof FileChangedError || hasCode(error, 'ENOENT');
}

/** The records that are values now, member by member. */
function* groupsByMember(index: PartitionIndex): Generator<Uint32Array> {
  const records = index.valueRecords();
  for (let start = 0; start < records.length; ) {
    const member = index.memberOf(records[start]!);
    let end = start + 1;
    while (end < records.length && index.memberOf(records[end]!) === member) end += 1;
    yield records.subarray(start, end);
    start = end;
  }
}

/** Copies of the bytes: a slice would keep the whole member in memory. */
function toRecord(place: EntryPlace, method: string, body: ValueBody): TierRecord {
  const { metadata, tags, encodedParams } = body;
  return {
    key: place.key,
    method,
    metadata,
    stamp: place.stamp,
    encoded: new Uint8Array(body.encoded),
    ...(tags === undefined ? {} : { tags }),
    ...(encodedParams === undefined ? {} : { encodedParams: new Uint8Array(encodedParams) }),
  };
}
