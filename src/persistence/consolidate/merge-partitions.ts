/** Merges partitions into one under a temporary name; the sources are only read. */

import type { Stamp } from '../../stamp.js';
import { assertReadableLength, PartitionDamagedError, TooLargeError } from '../disk-errors.js';
import type { FileSystem, OpenFile } from '../file-system.js';
import { unlinkIfThere } from '../file-system.js';
import { BodyScanner } from '../format/body-scanner.js';
import { readEntryBody } from '../format/entry-body.js';
import {
  atOnceBytes,
  claimedBodyLength,
  type EncodedEntry,
  encodeTombstone,
  inflateMember,
  inflateMemberSync,
} from '../format/member-body.js';
import { assertWhole, entryKind, headerEntries, type MemberHeader } from '../format/member-header.js';
import type { ScannedMember } from '../read/header-scan.js';
import { ReadAhead } from '../read/read-ahead.js';

import { copiedBytes, MergeOutput, type Written } from './merge-output.js';
import { type DropCounts, decision, MergeDecisions, type MergeRules } from './merge-rules.js';
import { MergeSource } from './merge-source.js';

/** What a merge works with. */
export interface MergeRequest {
  readonly files: FileSystem;
  /** The temporary file to be made. */
  readonly path: string;
  readonly sources: readonly string[];
  /** Asked for once the temporary file is there and the sources are open. */
  readonly rules: (sources: readonly string[]) => Promise<MergeRules>;
  readonly writer: string;
  readonly fileMode: number;
  readonly maxMemberBytes: number;
  readonly compressionLevel: number;
  readonly now: () => number;
  /** Hears of files that could not be closed or removed: that is no reason to give up what was merged. */
  readonly onFailure: (error: unknown) => void;
}

/** What a merge has made. */
export interface Merged {
  /** The temporary file, synced; `undefined` when nothing was worth writing. */
  readonly path: string | undefined;
  /** The sources that are in it. */
  readonly sources: readonly string[];
  /** Their sizes before they were read, in bytes. */
  readonly sizes: readonly number[];
  /** Sources that were left alone: damaged, plain, or of a later version. */
  readonly skipped: readonly string[];
  readonly readBytes: number;
  readonly readEntries: number;
  readonly writtenBytes: number;
  readonly writtenEntries: number;
  /** How many of them are values. */
  readonly writtenValues: number;
  readonly dropped: DropCounts;
}

/**
 * The temporary file is there before the sources are opened. So whoever has taken the sources away and looks for
 * temporary files afterwards sees this merge, and keeps the deletions that cover what it may still bring.
 */
export async function mergePartitions(request: MergeRequest): Promise<Merged> {
  const { files, path, fileMode, onFailure } = request;
  const output = await files.create(path, fileMode);
  const sources: MergeSource[] = [];
  let isDone = false;
  try {
    const skipped: string[] = [];
    for (const source of request.sources) {
      const opened = await MergeSource.open(files, source);
      if (opened === undefined) skipped.push(source);
      else sources.push(opened);
    }
    const merge = new Merge(request, output, sources);
    const written = await merge.run(await request.rules(sources.map((source) => source.path)));
    isDone = written.writtenEntries > 0;
    if (isDone) await output.sync();
    return {
      ...written,
      path: isDone ? path : undefined,
      sources: sources.map((source) => source.path),
      sizes: sources.map((source) => source.size),
      skipped,
      readBytes: sources.reduce((sum, { bytes }) => sum + bytes, 0),
    };
  } catch (error) {
    isDone = false;
    throw error;
  } finally {
    // Nothing is lost when closing a file fails that was only read; the output was synced before.
    for (const { file } of sources) await file.close().catch(onFailure);
    await output.close().catch(onFailure);
    if (!isDone) await unlinkIfThere(files, path).catch(onFailure);
  }
}

class Merge {
  readonly #request: MergeRequest;
  readonly #output: MergeOutput;
  readonly #sources: readonly MergeSource[];
  constructor(request: MergeRequest, output: OpenFile, sources: readonly MergeSource[]) {
    this.#request = request;
    const method = sources.find(({ method }) => method !== undefined)?.method;
    this.#output = new MergeOutput(output, { ...request, method, methodHash: sources[0]?.methodHash ?? '' });
    this.#sources = sources;
  }

  async run(rules: MergeRules): Promise<Written & Pick<Merged, 'readEntries' | 'dropped'>> {
    const decisions = await MergeDecisions.make(this.#sources, rules);
    let first = 0;
    for (const source of this.#sources) {
      const ahead = new ReadAhead(source.file, source.bytes);
      const { path } = source;
      await source.eachMember((member) => {
        const { count } = member.header.entries;
        first += count;
        if (decisions.areAll(decision.drop, first - count, count)) return undefined;
        return this.#take(ahead, { path, member, first: first - count, rules, decisions });
      });
    }
    const written = await this.#output.finish();
    return { ...written, readEntries: decisions.size, dropped: decisions.counts };
  }

  /** Takes a member in; a promise only where something has to be waited for, as there may be a million. */
  #take(ahead: ReadAhead, judging: Judging): Promise<void> | undefined {
    const { header, position } = judging.member;
    const bytes = ahead.at(header.memberLength, position);
    if (bytes === undefined || claimedBodyLength(bytes) > atOnceBytes) return this.#takeLater(ahead, judging);
    try {
      assertWhole(header, bytes);
      const isSmall = bytes.length < copiedBytes;
      if (isSmall && hasOnly(header, entryKind.tombstone)) this.#takeDeletions(judging);
      else this.#takeBody(inflateMemberSync(bytes, this.#limitsOf(header)), bytes, judging);
    } catch (error) {
      throw located(error, judging);
    }
    return this.#output.writeIfMuch();
  }

  /** Headers tell all there is to deletions: nothing is inflated, of which a hostile file would have a million. */
  #takeDeletions({ member, first, decisions }: Judging): void {
    let ordinal = first;
    for (const { key, stampTime, stampWriter } of headerEntries(member.header)) {
      if (decisions.of(ordinal++) === decision.drop) continue;
      this.#output.add(encodeTombstone(key, { time: stampTime, writer: stampWriter }));
    }
  }

  async #takeLater(ahead: ReadAhead, judging: Judging): Promise<void> {
    const { header, position } = judging.member;
    try {
      assertReadableLength(header.memberLength, this.#request.maxMemberBytes, judging.path);
      const bytes = await ahead.read(header.memberLength, position);
      assertWhole(header, bytes);
      this.#takeBody(await inflateMember(bytes, this.#limitsOf(header)), bytes, judging);
    } catch (error) {
      throw located(error, judging);
    }
    await this.#output.writeIfMuch();
  }

  #takeBody(body: Buffer, bytes: Buffer, judging: Judging): void {
    const { first, rules, decisions } = judging;
    const { header } = judging.member;
    const isWhole =
      body.length >= copiedBytes &&
      (rules.isTagInvalid === undefined || !holdsValues(header)) &&
      decisions.areAll(decision.keep, first, header.entries.count);
    if (isWhole && this.#output.copy(header, bytes)) return;
    for (const entry of entriesFrom(body, judging)) this.#output.add(entry);
  }

  #limitsOf({ headerLength }: MemberHeader): Parameters<typeof inflateMember>[1] {
    return { headerLength, maxBytes: this.#request.maxMemberBytes };
  }
}

function located(error: unknown, { path, member }: Judging): unknown {
  if (error instanceof TooLargeError) return error.in(path);
  if (!(error instanceof PartitionDamagedError)) return error;
  return new PartitionDamagedError(error.reason, { file: path, offset: member.position }, { cause: error });
}

function hasOnly({ entries }: MemberHeader, kind: number): boolean {
  for (let entry = 0; entry < entries.count; entry += 1) if (entries.kind(entry) !== kind) return false;
  return true;
}

function holdsValues({ entries }: MemberHeader): boolean {
  for (let entry = 0; entry < entries.count; entry += 1)
    if (entries.kind(entry) === entryKind.value) return true;
  return false;
}

/** What becomes of the entries of a member, and what else it depends on. */
interface Judging {
  readonly path: string;
  readonly member: ScannedMember;
  /** The place of its first entry among those of all members. */
  readonly first: number;
  readonly rules: MergeRules;
  readonly decisions: MergeDecisions;
}

/** The entries of a body that go on: as they were, or as deletions. */
function* entriesFrom(body: Buffer, judging: Judging): IterableIterator<EncodedEntry> {
  const { first, decisions } = judging;
  const { header } = judging.member;
  const scanner = new BodyScanner(body);
  scanner.mapLength();
  let entry = 0;
  for (const { key, kind, offset, expiresAt, stampTime, stampWriter } of headerEntries(header)) {
    const start = scanner.position;
    const text = scanner.stringOrSkip();
    const isIt = scanner.position === offset && (kind > entryKind.tombstone || text === key);
    if (!isIt) throw new PartitionDamagedError('a header that does not match its body');
    scanner.startEntry();
    scanner.skip();
    const stamp = { time: stampTime, writer: stampWriter };
    const valueBytes = body.subarray(offset, scanner.position);
    const decided = decisions.of(first + entry);
    const way = kind === entryKind.value ? wayOf(body, offset, decided, stamp, judging) : decided;
    entry += 1;
    if (way === decision.tombstone) yield encodeTombstone(key, stamp);
    else if (way === decision.keep)
      yield { key, kind, stamp, expiresAt, keyBytes: body.subarray(start, offset), valueBytes };
  }
}

/** What becomes of a value once its tags are known too. */
function wayOf(
  body: Buffer,
  offset: number,
  way: number,
  stamp: Stamp,
  { rules, decisions }: Judging,
): number {
  const { isTagInvalid } = rules;
  if (way !== decision.keep || isTagInvalid === undefined) return way;
  const entry = readEntryBody(new BodyScanner(body, offset));
  const isInvalid = entry.kind === 'value' && entry.tags?.some((tag) => isTagInvalid(tag, stamp));
  if (isInvalid !== true) return way;
  decisions.counts.cleared += 1;
  return decisions.tombstoneOrDrop(stamp.time);
}
