/** Until Node 24 a followed context slows down every promise of a process: loads are followed only while some run, of which none of other tests may hang. */

import { AsyncLocalStorage } from 'node:async_hooks';
import { afterEach, expect, it, vi } from 'vitest';
import { enclosingLoad, WaitNode } from '../../src/guard/wait-graph.js';
import { nextTurn } from '../../src/next-turn.js';

afterEach(() => void vi.restoreAllMocks());

it('follows contexts while a load runs, and again once another one does', async () => {
  const disable = vi.spyOn(AsyncLocalStorage.prototype, 'disable');
  const [a, b] = [new WaitNode('a', 'tool'), new WaitNode('b', 'tool')];
  const within = (node: WaitNode) =>
    node.run(async () => {
      await nextTurn();
      return enclosingLoad();
    });
  a.run(() => undefined);
  a.settle();
  // Begun in the same turn.
  expect(await within(b)).toBe(b);
  await nextTurn();
  expect(disable).not.toHaveBeenCalled();
  b.settle();
  b.settle();
  b.run(() => undefined);
  await nextTurn();
  expect(disable).toHaveBeenCalledTimes(1);
  const c = new WaitNode('c', 'tool');
  expect(await within(c)).toBe(c);
  expect(disable).toHaveBeenCalledTimes(1);
  c.settle();
  await nextTurn();
  expect(disable).toHaveBeenCalledTimes(2);
});
