import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Linked, LinkedList } from '../src/linked-list.js';

class Node implements Linked<Node> {
  previous: Node | undefined = undefined;
  next: Node | undefined = undefined;
}

it('is a list from which any node can be taken, and one that is not in it leaves it as it is', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(7), { maxLength: 50 }), (steps) => {
      const nodes = Array.from({ length: 8 }, () => new Node());
      const list = new LinkedList<Node>();
      const expected: Node[] = [];
      for (const index of steps) {
        const node = nodes[index]!;
        const place = expected.indexOf(node);
        list.remove(node);
        if (place >= 0) {
          expected.splice(place, 1);
        } else {
          list.append(node);
          expected.push(node);
        }
        const found: Node[] = [];
        for (let at = list.first; at !== undefined; at = at.next) found.push(at);
        expect(found.length).toBe(expected.length);
        expect(found.every((each, at) => each === expected[at])).toBe(true);
        expect(list.size).toBe(expected.length);
      }
      list.clear();
      expect([list.first, list.size]).toEqual([undefined, 0]);
    }),
  );
});
