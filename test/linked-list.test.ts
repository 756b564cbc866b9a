import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Linked, LinkedList } from '../src/linked-list.js';

class Node implements Linked<Node> {
  previous: Node | undefined = undefined;
  next: Node | undefined = undefined;
}

it('is a list from which any node can be taken or moved to the end, and one that is not in it leaves it as it is', () => {
  const steps = fc.array(fc.record({ index: fc.nat(7), isMove: fc.boolean() }), { maxLength: 50 });
  fc.assert(
    fc.property(steps, (all) => {
      const nodes = Array.from({ length: 8 }, () => new Node());
      const list = new LinkedList<Node>();
      const expected: Node[] = [];
      for (const { index, isMove } of all) {
        const node = nodes[index]!;
        const place = expected.indexOf(node);
        if (place >= 0) expected.splice(place, 1);
        if (place < 0) list.append(node);
        else if (isMove) list.moveToEnd(node);
        else list.remove(node);
        if (place < 0 || isMove) expected.push(node);
        else list.remove(node);
        const found: Node[] = [];
        for (let at = list.first; at !== undefined; at = at.next) found.push(at);
        expect(found.length).toBe(expected.length);
        expect(found.every((each, at) => each === expected[at])).toBe(true);
        const backwards = expected.map((each) => each.previous);
        expect(backwards.every((each, at) => each === expected[at - 1])).toBe(true);
        expect(list.size).toBe(expected.length);
      }
      list.clear();
      expect([list.first, list.size]).toEqual([undefined, 0]);
    }),
  );
});
