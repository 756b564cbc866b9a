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
  #size = 0;

  /** How many nodes are in it. */
  get size(): number {
    return this.#size;
  }

  get first(): N | undefined {
    return this.#first;
  }

  /** Adds a node at the end. */
  append(node: N): void {
    const last = this.#last;
    node.previous = last;
    node.next = undefined;
    if (last === undefined) this.#first = node;
    else last.next = node;
    this.#last = node;
    this.#size += 1;
  }

  /** Takes a node out, if it is in. */
  remove(node: N): void {
    const { previous, next } = node;
    if (previous === undefined && node !== this.#first) return;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    node.previous = undefined;
    node.next = undefined;
    this.#size -= 1;
  }

  /** Moves a node that is in it to the end. */
  moveToEnd(node: N): void {
    const { previous, next } = node;
    if (next === undefined) return;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    next.previous = previous;
    const last = this.#last as N;
    last.next = node;
    node.previous = last;
    node.next = undefined;
    this.#last = node;
  }

  /** Forgets all nodes, without touching them. */
  clear(): void {
    this.#first = undefined;
    this.#last = undefined;
    this.#size = 0;
  }
}
