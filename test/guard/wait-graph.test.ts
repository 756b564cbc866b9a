import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type NodePermit, WaitNode } from '../../src/guard/wait-graph.js';
import { CacheManager } from '../../src/index.js';
import { inForm } from '../helper/form.js';
import { gate, settle } from '../helper/gate.js';

interface Wait {
  readonly from: number;
  readonly to: number;
}

/** The graph as plain lists, asked by looking at everything. */
class ReferenceGraph {
  waits: Wait[] = [];
  readonly settled = new Set<number>();
  readonly held = new Map<number, number>();

  reaches(from: number, to: number, seen = new Set<number>()): boolean {
    if (from === to) return true;
    if (seen.has(from)) return false;
    seen.add(from);
    return this.waits.some((wait) => wait.from === from && this.reaches(wait.to, to, seen));
  }

  /** The depths of the turns that are held by those who wait for this load. */
  depthsAbove(to: number): number[] {
    return [...this.held].filter(([from]) => from !== to && this.reaches(from, to)).map(([, depth]) => depth);
  }

  settle(which: number): void {
    this.settled.add(which);
    this.held.delete(which);
    this.waits = this.waits.filter(({ from, to }) => from !== which && to !== which);
  }
}

const step = fc.record({
  kind: fc.constantFrom('load', 'load', 'wait', 'wait', 'wait', 'leave', 'settle', 'line', 'line', 'turn'),
  one: fc.nat(4),
  two: fc.nat(4),
});

/** What is never suspended. */
const permit: NodePermit = { grantNow() {}, suspend() {}, resume: () => Promise.resolve() };

describe('the wait graph', () => {
  it('knows who waits for whom as a plain list of waits does, and lets nobody stand in line behind who waits for him', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
        const reference = new ReferenceGraph();
        const nodes: WaitNode[] = [];
        const inLine = new Map<number, number>();
        const noted: { wait: Wait; leave: () => void }[] = [];
        const isOpen = (which: number) => which < nodes.length && !reference.settled.has(which);
        const wait = (from: number, to: number) => {
          const noting = { from, to };
          reference.waits.push(noting);
          noted.push({ wait: noting, leave: nodes[from]!.waitFor(nodes[to]!) });
        };
        for (const { kind, one, two } of steps) {
          if (kind === 'load' && nodes.length < 5) {
            const isInside = isOpen(one) && !inLine.has(one);
            const make = () => nodes.push(new WaitNode(`key ${nodes.length}`, 'tool'));
            if (isInside) nodes[one]!.run(make);
            else make();
            if (isInside) wait(one, nodes.length - 1);
          } else if (kind === 'leave') {
            const [left] = noted.splice(one, 1);
            left?.leave();
            reference.waits = reference.waits.filter((each) => each !== left?.wait);
          } else if (!isOpen(one)) continue;
          else if (kind === 'wait' && isOpen(two)) {
            const isCycle = reference.reaches(two, one);
            expect(nodes[two]!.reaches(nodes[one]!)).toBe(isCycle);
            if (!isCycle && !inLine.has(one)) wait(one, two);
          } else if (kind === 'settle') {
            nodes[one]!.settle();
            reference.settle(one);
            inLine.delete(one);
          } else if (kind === 'line' && !reference.waits.some(({ from }) => from === one)) {
            nodes[one]!.releasePermit();
            reference.held.delete(one);
            inLine.set(one, nodes[one]!.depth);
            nodes[one]!.queue({ ...permit, grantNow: () => inLine.delete(one) });
          } else if (kind === 'turn' && inLine.has(one)) {
            nodes[one]!.holdPermit();
            reference.held.set(one, inLine.get(one)!);
            inLine.delete(one);
          }
          for (const [which, depth] of inLine) {
            for (const above of reference.depthsAbove(which)) expect(above).toBeLessThan(depth);
          }
        }
        for (const [which, node] of nodes.entries()) {
          for (const [other, end] of nodes.entries()) {
            expect(node.reaches(end)).toBe(reference.reaches(which, other));
          }
        }
      }),
      { numRuns: inForm({ short: 300, long: 2000 }) },
    );
  });

  it('lets loads that wait for each other in any order all come to an end, with an error only in a cycle', async () => {
    const wants = fc.array(fc.array(fc.nat(5), { maxLength: 3 }), { minLength: 6, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(
        wants,
        fc.array(fc.nat(3), { minLength: 18, maxLength: 18 }),
        fc.constantFrom(undefined, 1, 2),
        async (graph, pauses, concurrency) => {
          const cache = new CacheManager(concurrency === undefined ? {} : { concurrency });
          let paused = 0;
          const pause = async () => {
            const turns = pauses[paused++ % pauses.length]!;
            for (let permit = 0; permit < turns; permit++)
              await new Promise((resolve) => setImmediate(resolve));
          };
          const load = (which: number): Promise<number> =>
            cache.getOrSet('tool', which, async () => {
              for (const next of graph[which]!) {
                await pause();
                await load(next);
              }
              return which;
            });
          const done: string[] = [];
          for (const which of graph.keys()) {
            load(which).then(
              () => done.push('value'),
              (error: { code: string }) => done.push(error.code),
            );
          }
          // Every pause there can be, one after the other, and more.
          for (let round = 0; round < 120 && done.length < graph.length; round++) await settle();
          expect(done).toHaveLength(graph.length);
          const reference = new ReferenceGraph();
          reference.waits = graph.flatMap((list, from) => list.map((to) => ({ from, to })));
          const hasCycle = reference.waits.some(({ from, to }) => reference.reaches(to, from));
          expect(done.includes('ERR_REENTRANT_LOAD')).toBe(hasCycle);
        },
      ),
      { numRuns: inForm({ short: 60, long: 300 }) },
    );
  });

  // Where a join looks at everything that is joined already, these take minutes, or exhaust the stack.
  describe.each([{ concurrency: undefined }, { concurrency: 100_000 }])(
    'of many loads, %o',
    ({ concurrency }) => {
      const many = inForm({ short: 2_000, long: 10_000 });
      const makeCache = () => new CacheManager(concurrency === undefined ? {} : { concurrency });

      it('takes a chain in which each load joins the one before', async () => {
        const cache = makeCache();
        const start = gate<number>();
        const calls = [cache.getOrSet('tool', 0, () => start.promise)];
        for (let which = 1; which < many; which++) {
          calls.push(
            cache.getOrSet(
              'tool',
              which,
              async () => 1 + (await cache.getOrSet('tool', which - 1, () => -1)),
            ),
          );
        }
        start.open(1);
        expect((await Promise.all(calls)).at(-1)).toBe(many);
      });

      it('takes a chain in which each load starts the next', async () => {
        const cache = makeCache();
        const crawl = (which: number): Promise<number> =>
          cache.getOrSet('tool', which, async () => {
            await null;
            return which === many ? 0 : 1 + (await crawl(which + 1));
          });
        expect(await crawl(0)).toBe(many);
      });

      it('takes many who join a load that waits for many', async () => {
        const cache = makeCache();
        const start = gate<number>();
        const leaves = Array.from({ length: many }, (_, which) => which);
        const hub = async () => {
          const values = leaves.map((which) => cache.getOrSet('leaf', which, () => start.promise));
          return (await Promise.all(values)).length;
        };
        const calls = leaves.map((which) =>
          cache.getOrSet('page', which, () => cache.getOrSet('hub', 0, hub)),
        );
        // Somebody waits for each who joins now: an outer load a page.
        const outer = leaves.map((which) =>
          cache.getOrSet('book', which, () =>
            cache.getOrSet('chapter', which, async () => {
              await null;
              return cache.getOrSet('hub', 0, hub);
            }),
          ),
        );
        await settle();
        start.open(1);
        expect(new Set(await Promise.all([...calls, ...outer]))).toEqual(new Set([many]));
        expect(cache.stats('hub').loads).toBe(1);
      });
    },
  );
});
