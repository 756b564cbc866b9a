/** Partition files that were given, without a folder to write to: a disk tier that owns and changes nothing. */

import { InvalidArgumentError } from '../errors.js';
import { compareStamps, type Stamp } from '../stamp.js';
import type { DiskStatus, SlowTier, TierRecord, TierUsage } from '../tier.js';
import { DiskTier } from './disk-tier.js';
import type { DiskTierInit } from './disk-tier-init.js';
import { type FileSystem, nodeFileSystem } from './file-system.js';
import type { LoadMode } from './folder-context.js';
import { wordsOfKey } from './format/header-entries.js';
import { KeyTable } from './index/key-table.js';

/** Stands where a folder's path would: it is in no file system, and complaints read well with it. */
const noFolder = 'the given files';

/** A disk tier without a folder. What is written to it is refused by the file system: `ReadOnlyTier` keeps it off. */
export function tierWithoutFolder(init: DiskTierInit): DiskTier {
  const { options, files = nodeFileSystem } = init;
  const given: FileSystem = {
    ...files,
    list: (path) => (path === noFolder ? Promise.resolve([]) : files.list(path)),
    makeFolder: () => Promise.resolve(),
    syncFolder: () => Promise.resolve(),
    link: refuse,
    rename: refuse,
    unlink: refuse,
    create: refuse,
    openToAppend: refuse,
  };
  const alone = {
    persistDir: noFolder,
    mode: 'single',
    consolidateInterval: null,
    flushOnExit: false,
  } as const;
  return new DiskTier({ ...init, files: given, options: { ...options, ...alone } });
}

function refuse(): Promise<never> {
  return Promise.reject(new InvalidArgumentError('Expected files that are only read to be left alone'));
}

/**
 * The files of `loadCache` as a tier. What the cache sets and deletes is not kept here, but it lies over what the files
 * say: an older answer never comes back when memory has evicted the newer one.
 */
export class ReadOnlyTier implements SlowTier {
  readonly name = 'disk';
  readonly #tier: DiskTier;
  readonly #paths: readonly string[];
  readonly #changes = new LocalChanges();

  constructor(init: DiskTierInit) {
    this.#tier = tierWithoutFolder(init);
    this.#paths = init.options.loadCache;
  }

  get size(): number {
    return this.#tier.size;
  }

  /** What `stats().disk` tells. */
  get counters(): DiskStatus {
    return this.#tier.counters;
  }

  usage(): Promise<readonly TierUsage[]> {
    return this.#tier.usage();
  }

  open(): Promise<void> {
    return this.#tier.open();
  }

  async lookup(key: string, method: string): Promise<TierRecord | undefined> {
    const record = await this.#tier.lookup(key, method);
    return record === undefined || this.#changes.cover(record) ? undefined : record;
  }

  /** Keeps nothing but that there is something newer. */
  write({ key, stamp }: TierRecord): boolean {
    this.#changes.noteKey(key, stamp);
    return false;
  }

  backpressure(): undefined {
    return undefined;
  }

  delete(key: string, _method: string, stamp: Stamp): void {
    this.#changes.noteKey(key, stamp);
  }

  clear(method: string | undefined, stamp: Stamp): void {
    this.#changes.noteTombstone(method === undefined ? 'all' : `method:${method}`, stamp);
  }

  invalidateTag(tag: string, stamp: Stamp): void {
    this.#changes.noteTombstone(`tag:${tag}`, stamp);
  }

  isReplaced(entry: Parameters<SlowTier['isReplaced']>[0]): boolean {
    return this.#tier.isReplaced(entry);
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return this.#tier.close();
  }

  async *entries(method?: string): AsyncGenerator<TierRecord> {
    for await (const record of this.#tier.entries(method)) if (!this.#changes.cover(record)) yield record;
  }

  /** Reads the given files again, or further ones. */
  async load(request: { mode?: LoadMode; files?: readonly string[] } = {}): Promise<void> {
    const { mode, files } = request;
    if (mode === 'full' && files === undefined) await this.#tier.load({ mode });
    else await this.#tier.load({ files: files ?? this.#paths });
  }
}

const chunkKeys = 4_096;

/** What has happened since the files were written: about 35 bytes a key. */
class LocalChanges {
  readonly #keys = new KeyTable();
  readonly #times: Float64Array[] = [];
  readonly #tombstones = new Map<string, Stamp>();
  readonly #scratch = new Uint32Array(4);
  /** All stamps are of this cache's own writer. */
  #writer = '';

  noteKey(key: string, { time, writer }: Stamp): void {
    const number = this.#keys.add(wordsOfKey(key, this.#scratch), 0);
    const at = number % chunkKeys;
    const chunk = Math.floor(number / chunkKeys);
    this.#times[chunk] ??= new Float64Array(chunkKeys);
    this.#times[chunk][at] = Math.max(this.#times[chunk][at]!, time);
    this.#writer = writer;
  }

  noteTombstone(id: string, stamp: Stamp): void {
    const known = this.#tombstones.get(id);
    if (known === undefined || compareStamps(stamp, known) > 0) this.#tombstones.set(id, stamp);
  }

  /** Whether any of it is newer than the entry. */
  cover({ key, method, tags = [], stamp }: TierRecord): boolean {
    const markers = ['all', `method:${method}`, ...tags.map((tag) => `tag:${tag}`)];
    return [this.#ofKey(key), ...markers.map((id) => this.#tombstones.get(id))].some(
      (newer) => newer !== undefined && compareStamps(stamp, newer) <= 0,
    );
  }

  #ofKey(key: string): Stamp | undefined {
    const number = this.#keys.find(wordsOfKey(key, this.#scratch), 0);
    if (number < 0) return undefined;
    const time = this.#times[Math.floor(number / chunkKeys)]![number % chunkKeys]!;
    return { time, writer: this.#writer };
  }
}
