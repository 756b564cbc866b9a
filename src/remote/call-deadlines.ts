/** Deadlines of calls that may all take as long: one timer, for who has waited longest. */

import { inBackground } from '../clock.js';
import { type Linked, LinkedList } from '../linked-list.js';
import { onNextTurn } from '../next-turn.js';

/** A call that somebody waits for. */
export class TimedCall implements Linked<TimedCall> {
  previous: TimedCall | undefined;
  next: TimedCall | undefined;
  /** It has been answered, or its time is over. */
  isOver = false;
  readonly dueAt: number;
  readonly expire: () => void;

  constructor(dueAt: number, expire: () => void) {
    this.dueAt = dueAt;
    this.expire = expire;
  }
}

export class CallDeadlines {
  readonly #ms: number;
  readonly #calls = new LinkedList<TimedCall>();
  /** Set for the oldest call there was. It holds the process while somebody waits. */
  #timer: NodeJS.Timeout | undefined;

  /** @param ms how long each call may take */
  constructor(ms: number) {
    this.#ms = ms;
  }

  /** @param expire hears that it was not ended in time; one whose time has passed is granted a turn: it may be we who stalled */
  begin(expire: () => void): TimedCall {
    const call = new TimedCall(performance.now() + this.#ms, expire);
    this.#calls.append(call);
    if (this.#timer === undefined) this.#waitFor(this.#ms);
    else if (this.#calls.size === 1) this.#timer.ref();
    return call;
  }

  /** The call is answered; whether that was in time. */
  end(call: TimedCall): boolean {
    if (call.isOver) return false;
    this.#finish(call);
    return true;
  }

  #finish(call: TimedCall): void {
    call.isOver = true;
    this.#calls.remove(call);
    if (this.#calls.size === 0) this.#timer?.unref();
  }

  #waitFor(ms: number): void {
    this.#timer = inBackground(() => setTimeout(() => this.#passed(), Math.max(1, ms)));
  }

  #passed(): void {
    const now = performance.now();
    const due: TimedCall[] = [];
    for (let call = this.#calls.first; call !== undefined && call.dueAt <= now; call = call.next)
      due.push(call);
    if (due.length === 0) this.#waitAgain();
    else
      onNextTurn(() => {
        for (const call of due) {
          if (call.isOver) continue;
          this.#finish(call);
          call.expire();
        }
        this.#waitAgain();
      });
  }

  #waitAgain(): void {
    this.#timer = undefined;
    const { first } = this.#calls;
    if (first !== undefined) this.#waitFor(first.dueAt - performance.now());
  }
}
