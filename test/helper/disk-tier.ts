/** Disk tiers for tests: with a fake clock, errors collected, and records that are quickly made. */

import { Packr } from 'msgpackr';
import type { CacheError } from '../../src/errors.js';
import { hashKey } from '../../src/key/key-hasher.js';
import { type DiskOptions, resolveDiskOptions } from '../../src/persistence/disk-options.js';
import { DiskTier } from '../../src/persistence/disk-tier.js';
import type { FileSystem } from '../../src/persistence/file-system.js';
import { freeAccess } from '../../src/persistence/lock/folder-access.js';
import { type Stamp, StampClock } from '../../src/stamp.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import type { TierRecord } from '../../src/tier.js';

const packr = new Packr({ useRecords: false, variableMapSize: true, int64AsType: 'number' });

/** When the tests take place. */
export const testStart = Date.UTC(2026, 10, 21, 12);

export interface TestTier {
  readonly tier: DiskTier;
  readonly clock: FakeClock;
  readonly stamps: StampClock;
  readonly errors: CacheError[];
  set(
    method: string,
    params: unknown,
    value: unknown,
    more?: Partial<TierRecord['metadata']> & { tags?: string[] },
  ): Stamp;
  delete(method: string, params: unknown): Stamp;
  get(method: string, params: unknown): Promise<unknown>;
}

let writers = 0;

export function makeDiskTier(
  options: DiskOptions & { files?: FileSystem; clock?: FakeClock; writer?: string },
): TestTier {
  const { files, clock = new FakeClock(testStart), ...disk } = options;
  writers += 1;
  const writer = options.writer ?? writers.toString(16).padStart(16, '0');
  const stamps = new StampClock(clock, writer);
  const errors: CacheError[] = [];
  const { writer: _, ...rest } = disk;
  const tier = new DiskTier({
    options: resolveDiskOptions({ flushOnExit: false, consolidateInterval: null, ...rest }),
    access: freeAccess,
    clock,
    writer,
    onError: (error) => errors.push(error),
    onStamp: (stamp) => stamps.observe(stamp),
    ...(files === undefined ? {} : { files }),
  });
  return {
    tier,
    clock,
    stamps,
    errors,
    set(method, params, value, more = {}) {
      const { tags, ...metadata } = more;
      const stamp = stamps.next();
      tier.write(
        makeRecord({ method, params, value, stamp, now: clock.now(), metadata, ...(tags ? { tags } : {}) }),
      );
      return stamp;
    },
    delete(method, params) {
      const stamp = stamps.next();
      tier.delete(hashKey(method, params), method, stamp);
      return stamp;
    },
    async get(method, params) {
      const record = await tier.lookup(hashKey(method, params), method);
      return record === undefined ? undefined : decode(record.encoded);
    },
  };
}

export function makeRecord(init: {
  method: string;
  params: unknown;
  value: unknown;
  stamp: Stamp;
  now: number;
  metadata?: Partial<TierRecord['metadata']>;
  tags?: string[];
}): TierRecord {
  const { method, params, value, stamp, now, metadata, tags } = init;
  return {
    key: hashKey(method, params),
    method,
    stamp,
    encoded: encode(value),
    metadata: {
      createdAt: now,
      staleAt: null,
      expiresAt: null,
      accessCount: 0,
      lastAccess: now,
      loadMs: 12.5,
      ...metadata,
    },
    ...(tags === undefined ? {} : { tags }),
  };
}

export function encode(value: unknown): Uint8Array {
  return Uint8Array.from(packr.pack(value));
}

export function decode(bytes: Uint8Array): unknown {
  return packr.unpack(bytes);
}
