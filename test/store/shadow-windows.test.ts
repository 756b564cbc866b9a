/** Simulated window orders, beside the real ones. */

import { expect, it } from 'vitest';
import { autoRules } from '../../src/store/auto.js';
import { FrequencySketch } from '../../src/store/frequency-sketch.js';
import { quickHashOf } from '../../src/store/key-map.js';
import { ShadowWindows } from '../../src/store/shadow-windows.js';
import type { StoreEntry } from '../../src/store/store.js';
import { windowRules } from '../../src/store/w-tinylfu.js';
import { WindowOrder } from '../../src/store/window-order.js';
import { loop, rollouts, skewed } from '../helper/access-traces.js';

/** Takes the tallies that it is given, as those which the shadows see. */
class GivenTallies extends FrequencySketch {
  readonly #counts: FrequencySketch;
  given = 0;

  constructor(counts: FrequencySketch) {
    super();
    this.#counts = counts;
  }

  override enter(): number {
    return this.given;
  }

  override use(): number {
    return this.given;
  }

  override leave(): void {}

  override usesIn(tally: number): number {
    return this.#counts.usesIn(tally);
  }
}

it.each([1, 2, 7, 60])('hold what window orders of %d entries hold, lookup by lookup', (room) => {
  const rules = [...new Set([...autoRules, ...windowRules])];
  const counts = new FrequencySketch();
  const tallies = new Map<string, number>();
  const shadows = new ShadowWindows(rules, room, counts);
  const sketch = new GivenTallies(counts);
  const orders = rules.map((rule) => new WindowOrder<StoreEntry>(room, sketch, rule));
  const hits = rules.map(() => 0);
  const traces = [skewed({ keys: 400, lookups: 4000 }), loop(80, 5), rollouts({ tasks: 30 })];
  for (const key of traces.flat()) {
    const hash = quickHashOf(key);
    const before = tallies.get(key);
    const tally = before === undefined ? counts.enter(hash, room) : counts.use(before, room);
    tallies.set(key, tally);
    sketch.given = tally;
    const found = shadows.visit({ hash, tally });
    let held = 0;
    for (const [at, order] of orders.entries()) {
      if (order.use(key) !== undefined) {
        held |= 1 << at;
        hits[at]! += 1;
        continue;
      }
      if (order.size >= room) order.evict(undefined);
      order.insert({ key, bytes: 1, expiresAt: null, loadMs: 0 });
    }
    if (found !== held) expect(found).toBe(held);
  }
  if (room === 60) expect(Math.min(...hits)).toBeGreaterThan(500);
});
