/** Merges partitions into one under a temporary name; the sources are only read. */

import { join } from 'node:path';
import type { Stamp } from '../stamp.js';
import { PartitionDamagedError } from './damage.js';
import { readEntryBody } from './entry-body.js';
import type { FileSystem, OpenFile } from './file-system.js';
import { readFully, unlinkIfThere } from './file-system.js';
import { deflateMember, type EncodedEntry, encodeDeletion, inflateMember } from './member-body.js';
import { type DropCounts, type MergeRules, MergeVerdicts, verdict } from './merge-verdict.js';
import { MsgpackReader } from './msgpack-bytes.js';
import {
  assertWhole,
  entryKind,
  frameMember,
  headerEntries,
  type MemberContent,
  type MemberHeader,
} from './partition-codec.js';
import { randomId } from './partition-file-maker.js';
import { temporaryFileName } from './partition-path.js';
import { type ScannedMember, scanPartition } from './partition-scan.js';
import { memberGroups } from './partition-writer.js';

/** What a merge works with. */
export interface MergeRequest {
  readonly files: FileSystem;
  /** The folder for the temporary file. */
  readonly folder: string;
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
  readonly dropped: DropCounts;
}

/** A partition that can be taken over as a whole. */
export interface Source {
  readonly path: string;
  readonly file: OpenFile;
  readonly members: readonly ScannedMember[];
  readonly bytes: number;
  readonly size: number;
}

/** A member whose entries all stay is copied as it is when it is at least this large. */
const copiedBytes = 32 * 1024;

/**
 * The temporary file is there before the sources are opened. So whoever has taken the sources away and looks for
 * temporary files afterwards sees this merge, and keeps the deletions that cover what it may still bring.
 */
export async function mergePartitions(request: MergeRequest): Promise<Merged> {
  const { files, folder, fileMode, onFailure } = request;
  const path = join(folder, temporaryFileName(randomId()));
  const output = await files.create(path, fileMode);
  const sources: Source[] = [];
  let isDone = false;
  try {
    const skipped: string[] = [];
    for (const source of request.sources) {
      const opened = await openSource(files, source);
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

/** A source with all its members, or `undefined` when it can't be taken as a whole. */
export async function openSource(files: FileSystem, path: string): Promise<Source | undefined> {
  const file = await files.openToRead(path);
  try {
    const { size } = await file.status();
    const members: ScannedMember[] = [];
    const scan = await scanPartition(file, {
      path,
      from: 0,
      nextMember: 0,
      onMember: (member) => members.push(member),
    });
    const isKnown = members.every(({ header }) => hasKnownKinds(header));
    if (scan.damage.length === 0 && !scan.isNewer && isKnown && members.length > 0) {
      return { path, file, members, size, bytes: scan.end };
    }
  } catch (error) {
    await file.close().catch(() => undefined);
    throw error;
  }
  await file.close();
  return undefined;
}

function hasKnownKinds(header: MemberHeader): boolean {
  for (const { kind } of headerEntries(header)) if (kind > entryKind.clearAll) return false;
  return true;
}

class Merge {
  readonly #request: MergeRequest;
  readonly #output: OpenFile;
  readonly #sources: readonly Source[];
  readonly #fileId = randomId();
  readonly #method: string | undefined;
  #members = 0;
  #bytes = 0;
  #entries = 0;
  /** Entries that wait until a member is full. */
  #waiting: EncodedEntry[] = [];

  constructor(request: MergeRequest, output: OpenFile, sources: readonly Source[]) {
    this.#request = request;
    this.#output = output;
    this.#sources = sources;
    const headers = sources.flatMap(({ members }) => members.map(({ header }) => header));
    this.#method = headers.find(({ method }) => method !== undefined)?.method;
  }

  async run(
    rules: MergeRules,
  ): Promise<Pick<Merged, 'readEntries' | 'writtenBytes' | 'writtenEntries' | 'dropped'>> {
    const members = this.#sources.flatMap(({ path, file, members: own }) =>
      own.map((member) => ({ ...member, path, file })),
    );
    const verdicts = new MergeVerdicts(
      members.map(({ header }) => header),
      rules,
    );
    const methodHash = members[0]?.header.methodHash ?? '';
    for (const [number, member] of members.entries()) {
      const ways = Array.from({ length: member.header.entries.count }, (_, entry) =>
        verdicts.of(number, entry),
      );
      if (ways.every((way) => way === verdict.drop)) continue;
      await this.#take(member, ways, { rules, verdicts });
      await this.#write(methodHash, false);
    }
    await this.#write(methodHash, true);
    return {
      readEntries: verdicts.size,
      writtenBytes: this.#bytes,
      writtenEntries: this.#entries,
      dropped: verdicts.counts,
    };
  }

  async #take(
    member: ScannedMember & { path: string; file: OpenFile },
    ways: readonly number[],
    judging: { rules: MergeRules; verdicts: MergeVerdicts },
  ): Promise<void> {
    const { header, position, file, path } = member;
    const { maxMemberBytes } = this.#request;
    try {
      if (header.memberLength > maxMemberBytes + 1024 * 1024) {
        throw new PartitionDamagedError(`a member of ${header.memberLength} bytes`);
      }
      const bytes = await readFully(file, header.memberLength, position);
      assertWhole(header, bytes);
      const body = await inflateMember(bytes, {
        headerLength: header.headerLength,
        maxBytes: maxMemberBytes,
      });
      const isWhole = ways.every((way) => way === verdict.keep) && judging.rules.isTagInvalid === undefined;
      if (isWhole && body.length >= copiedBytes) return await this.#copy(header, bytes);
      this.#waiting.push(...entriesFrom(body, header, ways, judging));
    } catch (error) {
      if (!(error instanceof PartitionDamagedError)) throw error;
      throw new PartitionDamagedError(error.reason, { file: path, offset: position }, { cause: error });
    }
  }

  #copy(header: MemberHeader, bytes: Buffer): Promise<void> {
    return this.#append({
      methodHash: header.methodHash,
      entries: [...headerEntries(header)],
      deflated: bytes.subarray(header.headerLength, bytes.length - 8),
      bodyCrc: bytes.readUInt32LE(bytes.length - 8),
      bodyLength: bytes.readUInt32LE(bytes.length - 4),
    });
  }

  /** Writes what makes full members; all of it at the end. */
  async #write(methodHash: string, isLast: boolean): Promise<void> {
    const groups = [...memberGroups(this.#waiting)];
    this.#waiting = isLast ? [] : (groups.pop() ?? []);
    for (const group of groups) {
      await this.#append(await deflateMember(methodHash, group, this.#request.compressionLevel));
    }
  }

  async #append(content: MemberContent): Promise<void> {
    const frame = frameMember(content, {
      fileId: this.#fileId,
      writer: this.#request.writer,
      memberNumber: this.#members,
      batchIndex: 0,
      writtenAt: this.#request.now(),
      ...(this.#members === 0 && this.#method !== undefined ? { method: this.#method } : {}),
    });
    const taken = await this.#output.append(frame);
    if (taken !== frame.length) throw new Error(`Only ${taken} of ${frame.length} bytes were written`);
    this.#members += 1;
    this.#bytes += frame.length;
    this.#entries += content.entries.length;
  }
}

/** The entries of a body that go on: as they were, or as deletions. */
function* entriesFrom(
  body: Buffer,
  header: MemberHeader,
  ways: readonly number[],
  judging: { rules: MergeRules; verdicts: MergeVerdicts },
): IterableIterator<EncodedEntry> {
  const reader = new MsgpackReader(body);
  reader.mapLength();
  let entry = 0;
  for (const { key, kind, offset, expiresAt, stampTime, stampWriter } of headerEntries(header)) {
    const start = reader.position;
    const text = reader.stringOrSkip();
    const isIt = reader.position === offset && (kind > entryKind.deletion || text === key);
    if (!isIt) throw new PartitionDamagedError('a header that does not match its body');
    reader.startEntry();
    reader.skip();
    const stamp = { time: stampTime, writer: stampWriter };
    const valueBytes = body.subarray(offset, reader.position);
    const way = kind === entryKind.value ? wayOf(body, offset, ways[entry]!, stamp, judging) : ways[entry]!;
    entry += 1;
    if (way === verdict.bury) yield encodeDeletion(key, stamp);
    else if (way === verdict.keep)
      yield { key, kind, stamp, expiresAt, keyBytes: body.subarray(start, offset), valueBytes };
  }
}

/** What becomes of a value once its tags are known too. */
function wayOf(
  body: Buffer,
  offset: number,
  way: number,
  stamp: Stamp,
  { rules, verdicts }: { rules: MergeRules; verdicts: MergeVerdicts },
): number {
  const { isTagInvalid } = rules;
  if (way !== verdict.keep || isTagInvalid === undefined) return way;
  const entry = readEntryBody(new MsgpackReader(body, offset));
  const isInvalid = entry.kind === 'value' && entry.tags?.some((tag) => isTagInvalid(tag, stamp));
  if (isInvalid !== true) return way;
  verdicts.counts.cleared += 1;
  return verdicts.buried(stamp);
}
