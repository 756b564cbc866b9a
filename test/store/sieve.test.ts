import { describe, expect, it, test } from 'vitest';
import type { StoreEntry } from '../../src/store/store.js';
import { storeContract } from '../../src/testing/index.js';
import { shardedStores } from '../helper/sharded-stores.js';
import { assertLikeSlow, hitsOf, SlowStore } from '../helper/slow-store.js';

/** The paper's Algorithm 1, its head being the end of the array. */
class SlowSieve extends SlowStore {
  rows: { entry: StoreEntry; visited: boolean }[] = [];
  #hand: string | undefined;

  held() {
    return this.rows.map(({ entry }) => entry);
  }

  read(key: string) {
    this.#row(key).visited = true;
  }

  insert(entry: StoreEntry) {
    this.rows.push({ entry, visited: false });
  }

  overwrite(entry: StoreEntry) {
    const row = this.#row(entry.key);
    row.entry = entry;
    row.visited = true;
  }

  remove(key: string) {
    const at = this.rows.findIndex(({ entry }) => entry.key === key);
    if (at < 0) return;
    if (this.#hand === key) this.#hand = this.rows[at + 1]?.entry.key;
    this.rows.splice(at, 1);
  }

  evict(reserved: string | undefined) {
    let at = Math.max(
      0,
      this.rows.findIndex(({ entry }) => entry.key === this.#hand),
    );
    for (;;) {
      const row = this.rows[at]!;
      if (row.entry.key !== reserved) {
        if (!row.visited) break;
        row.visited = false;
      }
      at = (at + 1) % this.rows.length;
    }
    const [left] = this.rows.splice(at, 1);
    this.#hand = this.rows[at]?.entry.key;
    return left!.entry.key;
  }

  clear() {
    this.rows = [];
    this.#hand = undefined;
  }

  #row(key: string) {
    return this.rows.find(({ entry }) => entry.key === key)!;
  }
}

for (const store of ['sieve', shardedStores.sieve])
  for (const { name, run } of storeContract(store)) test(name, run);

describe('the sieve store', () => {
  it('does what the paper says, as an obvious array does it', () => {
    assertLikeSlow('sieve', (bounds) => new SlowSieve(bounds));
    assertLikeSlow(shardedStores.sieve, (bounds) => new SlowSieve(bounds), 30);
  });

  it('keeps what was used in its place, and evicts from the hand on', () => {
    // a b c in; a is used; d evicts b, the hand is at c; e evicts c; a is still there, f then finds d.
    expect(hitsOf('sieve', 3, 'abcadea')).toBe(2);
    expect(hitsOf('sieve', 3, 'abcadefad')).toBe(2);
  });

  it('keeps what recurs through a scan', () => {
    const scan = Array.from({ length: 9 }, (_, at) => `s${at}`);
    const trace = ['x', 'y', 'x', 'y', ...scan, 'x', 'y'];
    expect([hitsOf('sieve', 10, trace), hitsOf('lru', 10, trace)]).toEqual([4, 2]);
  });
});
