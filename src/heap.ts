/** A binary heap whose nodes know their places, so that any of them can be moved or taken out in O(log n). */

/** What a node carries for the one heap it is in. The heap's alone to change. */
export interface HeapNode {
  heapIndex: number;
}

/** A heap of nodes in a strict order: `goesBefore` must never hold both ways, nor for a node and itself. */
export class Heap<N extends HeapNode> {
  readonly #goesBefore: (a: N, b: N) => boolean;
  #nodes: N[] = [];

  constructor(goesBefore: (a: N, b: N) => boolean) {
    this.#goesBefore = goesBefore;
  }

  /** The node that goes before all others. */
  get first(): N | undefined {
    return this.#nodes[0];
  }

  /** The node that goes before all others but `spared`. */
  firstBut(spared: N | undefined): N | undefined {
    return spared !== undefined && spared === this.first ? this.#firstChildOf(0) : this.first;
  }

  /** All nodes, in no stated order. */
  nodes(): IterableIterator<N> {
    return this.#nodes.values();
  }

  push(node: N): void {
    node.heapIndex = this.#nodes.length;
    this.#nodes.push(node);
    this.#rise(node);
  }

  /** Takes a node of this heap out. */
  remove(node: N): void {
    const last = this.#nodes.pop();
    if (last === undefined || last === node) return;
    this.#put(last, node.heapIndex);
    this.settle(last);
  }

  /** Gives a node of this heap its place anew, after what its order depends on has changed. */
  settle(node: N): void {
    this.#rise(node);
    this.#sink(node);
  }

  /** Forgets all nodes, without touching them. */
  clear(): void {
    this.#nodes = [];
  }

  #rise(node: N): void {
    let { heapIndex } = node;
    while (heapIndex > 0) {
      const parentIndex = (heapIndex - 1) >> 1;
      const parent = this.#nodes[parentIndex]!;
      if (!this.#goesBefore(node, parent)) break;
      this.#put(parent, heapIndex);
      heapIndex = parentIndex;
    }
    this.#put(node, heapIndex);
  }

  #sink(node: N): void {
    let { heapIndex } = node;
    for (;;) {
      const child = this.#firstChildOf(heapIndex);
      if (child === undefined || !this.#goesBefore(child, node)) break;
      const childIndex = child.heapIndex;
      this.#put(child, heapIndex);
      heapIndex = childIndex;
    }
    this.#put(node, heapIndex);
  }

  #firstChildOf(index: number): N | undefined {
    const left = this.#nodes[2 * index + 1];
    const right = this.#nodes[2 * index + 2];
    return left !== undefined && right !== undefined && this.#goesBefore(right, left) ? right : left;
  }

  #put(node: N, index: number): void {
    this.#nodes[index] = node;
    node.heapIndex = index;
  }
}
