/**
 * Which write of a rollout waits for which. From a write's start to its settled result, whatever touches its resources waits;
 * one whose caller has given up may still be running, and until it settles nothing about its resources is cached.
 */

import { AsyncLocalStorage } from 'node:async_hooks';
import { onAbort } from '../guard/shared-abort.js';
import { beginWait, enclosingLoad, WaitNode } from '../guard/wait-graph.js';
import { overlap, type Resource } from '../tools/resource.js';

/** The write in whose tool the current code runs. */
const enclosing = new AsyncLocalStorage<Turn>();

/** What a call touches. */
export interface Touched {
  readonly reads: readonly Resource[];
  readonly writes: readonly Resource[];
}

/** The writes of one rollout. */
export class Turns {
  /** Waiting and running, in the order of their calls. */
  readonly #open = new Set<Turn>();
  /** Given up by their callers, and running still. */
  readonly #abandoned = new Set<Turn>();
  /** What was written by those that have begun, in their order. */
  readonly #begun: (readonly Resource[])[] = [];
  #lateEnds = 0;

  /** Whether no write is waiting or running. */
  get isIdle(): boolean {
    return this.#open.size === 0 && this.#abandoned.size === 0;
  }

  /** How many writes have settled that nobody waited for any more. */
  get lateEnds(): number {
    return this.#lateEnds;
  }

  /** How many writes have begun. */
  get begun(): number {
    return this.#begun.length;
  }

  /** Whether a write of one of these has begun since there were so many. */
  hasBegunOn(resources: readonly Resource[], since: number): boolean {
    for (let at = since; at < this.#begun.length; at++) if (touch(this.#begun[at]!, resources)) return true;
    return false;
  }

  /** Whether the current code belongs to a tool that is writing in this rollout: it must wait for nothing here. */
  isWithin(): boolean {
    for (let turn = enclosing.getStore(); turn !== undefined; turn = turn.parent) {
      if (turn.turns === this && !turn.isOver) return true;
    }
    return false;
  }

  /** Whether a write that was given up may still change one of these. */
  isUnsettled(resources: readonly Resource[]): boolean {
    for (const turn of this.#abandoned) if (touch(turn.touched.writes, resources)) return true;
    return false;
  }

  /** A write of one of these that has not ended; `undefined`: there is none to wait for. */
  writeOn(resources: readonly Resource[]): Turn | undefined {
    for (const turn of this.#open) if (touch(turn.touched.writes, resources)) return turn;
    return undefined;
  }

  /**
   * A place behind all writes so far. Leave it whatever happens. A write that those before it wait for, as one that a tool
   * calls while it writes, waits for nobody, and while it runs nothing it writes is cached.
   */
  enter(tool: string, touched: Touched): Turn {
    const before = [...this.#open].filter(
      (turn) => touch(turn.touched.writes, touched.reads) || touch(touched.writes, turn.touched.reads),
    );
    const caller = enclosingLoad();
    const isWaitedFor = caller !== undefined && before.some(({ node }) => node.reaches(caller));
    const isAtOnce = isWaitedFor || this.isWithin();
    const turn = new Turn(this, { tool, touched, before: isAtOnce ? [] : before, isAtOnce });
    (isAtOnce ? this.#abandoned : this.#open).add(turn);
    return turn;
  }

  /** @internal */
  begin({ touched }: Turn): void {
    this.#begun.push(touched.writes);
  }

  /** @internal */
  abandon(turn: Turn): void {
    this.#open.delete(turn);
    this.#abandoned.add(turn);
  }

  /** @internal */
  leave(turn: Turn): void {
    this.#open.delete(turn);
    if (this.#abandoned.delete(turn)) this.#lateEnds += 1;
  }
}

/** One write's place. What it writes is among what it reads. */
export class Turn {
  readonly turns: Turns;
  readonly touched: Touched;
  /** Resolves when those behind it need not wait for it any more. */
  readonly ended: Promise<void>;
  /** The write, maybe of another rollout, in whose tool this one was called. */
  readonly parent: Turn | undefined;
  /** Whether it waits for nobody: those before it may wait for it. */
  readonly isAtOnce: boolean;
  /** Its place among all that waits. */
  readonly node: WaitNode;
  readonly #before: readonly Turn[];
  #end!: () => void;
  #isOver = false;

  constructor(
    turns: Turns,
    {
      tool,
      touched,
      before,
      isAtOnce,
    }: Pick<Turn, 'touched' | 'isAtOnce'> & { readonly tool: string; readonly before: readonly Turn[] },
  ) {
    this.turns = turns;
    this.touched = touched;
    this.#before = before;
    this.isAtOnce = isAtOnce;
    this.node = new WaitNode('', tool);
    for (const each of before) this.node.waitFor(each.node);
    let parent = enclosing.getStore();
    while (parent?.isOver) parent = parent.parent;
    this.parent = parent;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  /** Whether its tool has settled. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Waits for those before it. Rejects with the signal's reason when that is aborted first. */
  async wait(signal: AbortSignal | undefined): Promise<void> {
    for (const turn of this.#before) await orAbort(turn.ended, signal);
  }

  /**
   * Waits until those behind it need not wait for it any more. `false`, at once, where it waits for the current code.
   * Rejects with the signal's reason when that is aborted first.
   */
  async hasEnded(signal: AbortSignal | undefined): Promise<boolean> {
    const end = beginWait(this.node);
    if (end === undefined) return false;
    try {
      await orAbort(this.ended, signal);
      return true;
    } finally {
      end();
    }
  }

  /** What it writes is about to change. */
  begin(): void {
    this.turns.begin(this);
  }

  /** Runs its tool. */
  run<R>(tool: () => R): R {
    return enclosing.run(this, tool);
  }

  /** Its caller has given up: nobody waits for it any more. */
  abandon(): void {
    this.turns.abandon(this);
    this.node.settle();
    this.#end();
  }

  /** It has settled, or was never begun. */
  leave(): void {
    this.#isOver = true;
    this.turns.leave(this);
    this.node.settle();
    this.#end();
  }
}

/** What a promise comes to, unless the signal is aborted first: then the promise is left alone. */
export function orAbort<T>(promise: PromiseLike<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return Promise.resolve(promise);
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      Promise.resolve(promise).catch(() => undefined);
      reject(signal.reason);
      return;
    }
    const release = onAbort(signal, () => reject(signal.reason));
    promise.then(
      (value) => {
        release();
        resolve(value);
      },
      (error: unknown) => {
        release();
        reject(error);
      },
    );
  });
}

function touch(a: readonly Resource[], b: readonly Resource[]): boolean {
  return a.some((each) => b.some((other) => overlap(each, other)));
}
