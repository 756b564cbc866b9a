import { expect, test } from 'vitest';
import { createStore } from '../../src/store/registry.js';
import type { StoreEntry } from '../../src/store/store.js';

function storeOf(eviction: string, maxSize: number) {
  const evicted: string[] = [];
  const store = createStore<StoreEntry>(eviction, {
    maxSize,
    maxBytes: 2 ** 30,
    random: Math.random,
    onRemove: ({ key }) => evicted.push(key),
  });
  const set = (key: string) => store.set({ key, bytes: 1, expiresAt: null, loadMs: 0 });
  return { store, set, evicted };
}

/** The share of calls answered when tasks come one after the other, each asking some things of its own many times. */
function hitRateOfTasks(eviction: string): number {
  const { store, set } = storeOf(eviction, 200);
  let [hits, calls] = [0, 0];
  for (let task = 0; task < 60; task++) {
    for (let rollout = 0; rollout < 8; rollout++) {
      for (let question = 0; question < 100; question++) {
        // Every rollout asks half of them differently.
        const key = question % 2 === 0 ? `${task}/${question}` : `${task}/${question}/${rollout}`;
        calls++;
        if (store.get(key) === undefined) set(key);
        else hits++;
      }
    }
  }
  return hits / calls;
}

test('forgets what was popular long ago', () => {
  const { store, set, evicted } = storeOf('lfu', 2);
  set('popular');
  for (let i = 0; i < 5; i++) store.get('popular');
  // Each newcomer starts from the priority of the last one evicted: the sixth equals what has had six uses, and is newer.
  for (let i = 0; i < 8; i++) set(`new ${i}`);
  expect(evicted.indexOf('popular')).toBe(5);
});

test('lets the least recently used of equals go first', () => {
  const { store, set, evicted } = storeOf('lfu', 3);
  for (const key of ['a', 'b', 'c']) set(key);
  for (const key of ['c', 'a', 'b']) store.get(key);
  set('d');
  expect(evicted).toEqual(['c']);
});

test('answers tasks that come one after the other nearly as often as lru', () => {
  expect(hitRateOfTasks('lfu')).toBeGreaterThan(0.9 * hitRateOfTasks('lru'));
});
