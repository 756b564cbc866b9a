import { describe, expect, it, test } from 'vitest';
import type { StoreEntry } from '../../src/store/store.js';
import { storeContract } from '../../src/testing/index.js';
import { shardedStores } from '../helper/sharded-stores.js';
import { assertLikeSlow, hitsOf, SlowStore } from '../helper/slow-store.js';

interface Row {
  entry: StoreEntry;
  uses: number;
}

/** The paper's Algorithm 1, with arrays for its queues. Queues are shares of what is held, as bytes may be the bound. */
class SlowS3Fifo extends SlowStore {
  small: Row[] = [];
  main: Row[] = [];
  ghost: string[] = [];
  #isGhost = false;

  held() {
    return [...this.small, ...this.main].map(({ entry }) => entry);
  }

  read(key: string) {
    const row = this.#row(key);
    row.uses = Math.min(3, row.uses + 1);
  }

  override set(entry: StoreEntry) {
    this.#isGhost = this.ghost.includes(entry.key);
    this.ghost = this.ghost.filter((key) => key !== entry.key);
    return super.set(entry);
  }

  insert(entry: StoreEntry) {
    (this.#isGhost ? this.main : this.small).push({ entry, uses: 0 });
  }

  overwrite(entry: StoreEntry) {
    this.#row(entry.key).entry = entry;
    this.read(entry.key);
  }

  remove(key: string) {
    this.small = this.small.filter(({ entry }) => entry.key !== key);
    this.main = this.main.filter(({ entry }) => entry.key !== key);
    this.ghost = this.ghost.filter((each) => each !== key);
  }

  evict(reserved: string | undefined): string {
    const size = this.small.length + this.main.length;
    const first = (queue: Row[]) => queue.find(({ entry }) => entry.key !== reserved);
    for (;;) {
      const row =
        (this.small.length >= Math.max(1, size / 10) ? first(this.small) : undefined) ??
        first(this.main) ??
        first(this.small)!;
      const { key } = row.entry;
      if (this.small.includes(row)) {
        this.small = this.small.filter((each) => each !== row);
        if (row.uses > 1) {
          this.main.push({ entry: row.entry, uses: 0 });
          continue;
        }
        this.ghost.push(key);
        while (this.ghost.length > size * 0.9) this.ghost.shift();
        return key;
      }
      this.main = this.main.filter((each) => each !== row);
      if (row.uses === 0) return key;
      this.main.push({ entry: row.entry, uses: row.uses - 1 });
    }
  }

  clear() {
    [this.small, this.main, this.ghost] = [[], [], []];
  }

  #row(key: string) {
    return [...this.small, ...this.main].find(({ entry }) => entry.key === key)!;
  }
}

for (const store of ['s3-fifo', shardedStores['s3-fifo']])
  for (const { name, run } of storeContract(store)) test(name, run);

describe('the s3-fifo store', () => {
  it('does what the paper says, as an obvious array does it', () => {
    assertLikeSlow('s3-fifo', (bounds) => new SlowS3Fifo(bounds));
    assertLikeSlow(shardedStores['s3-fifo'], (bounds) => new SlowS3Fifo(bounds), 30);
  });

  it('keeps what comes again soon after it left, through a scan', () => {
    const keys = (from: number, count: number) => Array.from({ length: count }, (_, at) => `s${from + at}`);
    // s0 leaves the small queue, comes again as a ghost, and stays in main while 50 others pass.
    const trace = [...keys(0, 28), 's0', ...keys(100, 50), 's0'];
    expect(['s3-fifo', 'lru', 'fifo'].map((name) => hitsOf(name, 20, trace))).toEqual([1, 0, 0]);
  });

  it('keeps what was used twice beside what was used once, of those that fill it', () => {
    const trace = [...'aaabbcdefghi', ...'jklmnopqrs', ...'ab'];
    // Two more uses take a on to main; b, with one, leaves as a ghost.
    expect(hitsOf('s3-fifo', 10, trace)).toBe(2 + 1 + 1);
  });

  it('remembers no more ghosts than main may hold', () => {
    const numbers = Array.from({ length: 60 }, (_, at) => at);
    // Of 10 entries, 9 are remembered once they left: 0 to 40 are forgotten, and a second pass finds nobody's ghost.
    expect(hitsOf('s3-fifo', 10, [...numbers, ...numbers, ...numbers])).toBe(0);
  });
});
