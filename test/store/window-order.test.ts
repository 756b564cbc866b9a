import { describe, it, test } from 'vitest';
import { BoundedStore } from '../../src/store/bounded-store.js';
import { FrequencySketch } from '../../src/store/frequency-sketch.js';
import type { StoreEntry, StoreFactory } from '../../src/store/store.js';
import { WindowOrder } from '../../src/store/window-order.js';
import type { WindowRule } from '../../src/store/window-rule.js';
import { storeContract } from '../../src/testing/index.js';
import { assertLikeSlow, type Bounds, SlowStore } from '../helper/slow-store.js';

const withWindow =
  (rule: WindowRule): StoreFactory =>
  (options) =>
    new BoundedStore(options, new WindowOrder(options.maxSize, new FrequencySketch(), rule));

/** The paper's scheme with arrays, the first being the next to leave, and exact counts. */
class SlowWindow extends SlowStore {
  window: StoreEntry[] = [];
  probation: StoreEntry[] = [];
  guarded: StoreEntry[] = [];
  readonly #counts = new Map<string, number>();
  #uses = 0;
  readonly #rule: WindowRule;

  constructor(bounds: Bounds, rule: WindowRule) {
    super(bounds);
    this.#rule = rule;
  }

  held() {
    return [...this.window, ...this.probation, ...this.guarded];
  }

  read(key: string) {
    this.#count(key, this.held().length);
    this.#touch(this.held().find((entry) => entry.key === key)!);
  }

  insert(entry: StoreEntry) {
    this.window.push(entry);
    while (this.window.length > this.#room()) this.probation.push(this.window.shift()!);
    this.#count(entry.key, this.held().length);
  }

  overwrite(entry: StoreEntry) {
    this.#count(entry.key, this.held().length);
    for (const queue of [this.window, this.probation, this.guarded]) {
      const at = queue.findIndex(({ key }) => key === entry.key);
      if (at >= 0) queue[at] = entry;
    }
    this.#touch(entry);
  }

  remove(key: string) {
    for (const name of ['window', 'probation', 'guarded'] as const)
      this[name] = this[name].filter((entry) => entry.key !== key);
  }

  evict(reserved: string | undefined) {
    const first = (queue: StoreEntry[]) => queue.find(({ key }) => key !== reserved);
    const candidate = first(this.window);
    const victim = first(this.probation) ?? first(this.guarded);
    let left = victim ?? candidate!;
    if (candidate !== undefined && victim !== undefined && this.window.length >= this.#room()) {
      const uses = this.#counts.get(candidate.key) ?? 0;
      const isWorthMore =
        this.#rule.admission === 'twice' ? uses >= 2 : uses > (this.#counts.get(victim.key) ?? 0) + 1;
      left = isWorthMore ? victim : candidate;
      if (isWorthMore) {
        this.remove(candidate.key);
        this.probation.push(candidate);
      }
    }
    this.remove(left.key);
    return left.key;
  }

  clear() {
    [this.window, this.probation, this.guarded] = [[], [], []];
  }

  #touch(entry: StoreEntry) {
    const isInWindow = this.window.includes(entry);
    this.remove(entry.key);
    if (isInWindow || this.#rule.share === 1) this.window.push(entry);
    else {
      this.guarded.push(entry);
      const main = this.probation.length + this.guarded.length;
      while (this.guarded.length > 0.8 * main) this.probation.push(this.guarded.shift()!);
    }
  }

  #room() {
    return this.#rule.share === 1
      ? Number.POSITIVE_INFINITY
      : Math.max(1, Math.round(this.#rule.share * this.held().length));
  }

  #count(key: string, entries: number) {
    const count = this.#counts.get(key) ?? 0;
    if (count === 15) return;
    this.#counts.set(key, count + 1);
    this.#uses += 1;
    if (this.#uses < 10 * entries) return;
    for (const [each, uses] of this.#counts) this.#counts.set(each, uses >> 1);
    this.#uses >>= 1;
  }
}

for (const { name, run } of storeContract(withWindow({ share: 0.2, admission: 'more often' })))
  test(name, run);

describe.each(
  [0.01, 0.2, 0.5, 1].flatMap((share) => [
    { share, admission: 'more often' as const },
    { share, admission: 'twice' as const },
  ]),
)('the order with a window of $share that admits what was used $admission', (rule) => {
  it('does what the paper says, as obvious arrays with exact counts do it', () => {
    assertLikeSlow(withWindow(rule), (bounds) => new SlowWindow(bounds, rule), 50);
  });
});
