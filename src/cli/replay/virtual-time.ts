/** Time that passes only in a replayed trace: nobody waits for real, and the same trace takes the same course. */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { Heap, type HeapNode } from '../../heap.js';
import type { Clock } from '../../index.js';

interface Due extends HeapNode {
  readonly at: number;
  /** Breaks ties: first come, first served. */
  readonly order: number;
  readonly callback: () => void;
}

/** A clock that stands still while anything is being done, and then jumps to what is due next. */
export class VirtualTime implements Clock {
  readonly #startedAt = Date.now();
  readonly #due = new Heap<Due>((a, b) => (a.at === b.at ? a.order < b.order : a.at < b.at));
  #elapsed = 0;
  #order = 0;

  now(): number {
    return Math.floor(this.#startedAt + this.#elapsed);
  }

  elapsed(): number {
    return this.#elapsed;
  }

  schedule(callback: () => void, delayMs: number): { cancel(): void } {
    const at = this.#elapsed + Math.max(0, delayMs);
    const due: Due = { at, order: this.#order, callback, heapIndex: -1 };
    this.#order += 1;
    this.#due.push(due);
    return {
      cancel: () => {
        if (due.heapIndex >= 0) this.#take(due);
      },
    };
  }

  /** Resolves after so many ms of this time. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.schedule(resolve, ms));
  }

  /** Lets time pass until `work` has settled, which may wait for nothing but this time. */
  async run<T>(work: Promise<T>): Promise<T> {
    let isOver = false;
    const over = () => {
      isOver = true;
    };
    work.then(over, over);
    for (;;) {
      // Whatever the last callback has led to comes to rest here.
      await nextTurn();
      if (isOver) return work;
      const next = this.#due.first;
      if (next === undefined) throw new Error('What is replayed waits for something that will never come');
      this.#take(next);
      this.#elapsed = next.at;
      next.callback();
    }
  }

  #take(due: Due): void {
    this.#due.remove(due);
    due.heapIndex = -1;
  }
}
