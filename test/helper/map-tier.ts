/** A slower tier in a Map, whose reads can be held up or made to fail. */

import { compareStamps, type Stamp } from '../../src/stamp.js';
import type { SlowTier, TierRecord } from '../../src/tier.js';

export class MapTier implements SlowTier {
  readonly name = 'disk';
  readonly records = new Map<string, TierRecord>();
  /** Awaited inside each lookup, after the record was read. */
  beforeAnswer: () => Promise<void> = async () => {};
  lookups = 0;
  isClosed = false;

  get size(): number {
    return this.records.size;
  }

  async open(): Promise<void> {}

  async lookup(key: string): Promise<TierRecord | undefined> {
    this.lookups++;
    const record = this.records.get(key);
    await this.beforeAnswer();
    return record;
  }

  write(record: TierRecord): boolean {
    this.records.set(record.key, record);
    return true;
  }

  backpressure(): undefined {
    return undefined;
  }

  delete(key: string): void {
    this.records.delete(key);
  }

  clear(method: string | undefined, stamp: Stamp): void {
    for (const record of this.records.values()) {
      const isMeant = method === undefined || record.method === method;
      if (isMeant && compareStamps(record.stamp, stamp) < 0) this.records.delete(record.key);
    }
  }

  invalidateTag(tag: string): void {
    for (const record of this.records.values())
      if (record.tags?.includes(tag)) this.records.delete(record.key);
  }

  isReplaced({ key, stamp }: { key: string; stamp: Stamp }): boolean {
    const record = this.records.get(key);
    return record !== undefined && compareStamps(record.stamp, stamp) > 0;
  }

  async flush(): Promise<void> {}

  async close(): Promise<void> {
    this.isClosed = true;
  }

  async *entries(): AsyncIterable<TierRecord> {
    yield* this.records.values();
  }
}
