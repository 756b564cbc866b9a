import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Heap, type HeapNode } from '../src/heap.js';

interface Numbered extends HeapNode {
  order: number;
  readonly id: number;
}

const byOrder = (a: Numbered, b: Numbered) => (a.order === b.order ? a.id < b.id : a.order < b.order);

describe('Heap', () => {
  it('knows its first and second node whatever is pushed, moved and taken out', () => {
    const step = fc.record({
      kind: fc.constantFrom('push', 'push', 'remove', 'move'),
      which: fc.nat(40),
      order: fc.nat(20),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const heap = new Heap<Numbered>(byOrder);
        const nodes: Numbered[] = [];
        steps.forEach(({ kind, which, order }, id) => {
          const node = nodes[which % Math.max(1, nodes.length)];
          if (kind === 'push' || node === undefined) {
            const pushed = { order, id, heapIndex: -1 };
            nodes.push(pushed);
            heap.push(pushed);
          } else if (kind === 'remove') {
            nodes.splice(nodes.indexOf(node), 1);
            heap.remove(node);
          } else {
            node.order = order;
            heap.settle(node);
          }
          nodes.sort((a, b) => (byOrder(a, b) ? -1 : 1));
          expect([...heap.nodes()]).toHaveLength(nodes.length);
          expect(new Set(heap.nodes())).toEqual(new Set(nodes));
          expect(heap.first).toBe(nodes[0]);
          expect(heap.firstBut(nodes[0])).toBe(nodes[1]);
          expect(heap.firstBut(nodes[2])).toBe(nodes[0]);
          expect(heap.firstBut(undefined)).toBe(nodes[0]);
        });
        while (nodes.length > 0) {
          const first = heap.first!;
          expect(first).toBe(nodes.shift());
          heap.remove(first);
        }
        expect(heap.first).toBeUndefined();
      }),
    );
  });

  it('is empty once cleared', () => {
    const heap = new Heap<Numbered>(byOrder);
    heap.push({ order: 1, id: 1, heapIndex: -1 });
    heap.clear();
    expect([[...heap.nodes()], heap.first]).toEqual([[], undefined]);
  });
});
