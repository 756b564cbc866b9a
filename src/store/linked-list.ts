/** A doubly linked list threaded through its own nodes, so that nothing is allocated to move one. */

/** What a node carries for the one list it is in. */
export interface Linked<N> {
  previous: N | undefined;
  next: N | undefined;
}

/** A list of nodes, each in at most one list. All operations are O(1). */
export class LinkedList<N extends Linked<N>> {
  #first: N | undefined;
  #last: N | undefined;

  get first(): N | undefined {
    return this.#first;
  }

  get isEmpty(): boolean {
    return this.#first === undefined;
  }

  /** Whether exactly one node is in. */
  get isSingle(): boolean {
    return this.#first !== undefined && this.#first === this.#last;
  }

  /** Adds a node at the end. */
  append(node: N): void {
    this.insertAfter(this.#last, node);
  }

  /** Adds a node behind `anchor`, or at the start without one. */
  insertAfter(anchor: N | undefined, node: N): void {
    const next = anchor === undefined ? this.#first : anchor.next;
    node.previous = anchor;
    node.next = next;
    if (anchor === undefined) this.#first = node;
    else anchor.next = node;
    if (next === undefined) this.#last = node;
    else next.previous = node;
  }

  /** Takes a node of this list out. */
  remove(node: N): void {
    const { previous, next } = node;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    node.previous = undefined;
    node.next = undefined;
  }

  /** Forgets all nodes, without touching them. */
  clear(): void {
    this.#first = undefined;
    this.#last = undefined;
  }
}
