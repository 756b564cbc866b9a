/** How much of the event loop's time may go into reading at once, that is: blocking. */

import { onNextTurn } from '../../next-turn.js';

/** The longest that others wait for readings in one turn, in ms, but for the last of them. */
const longestTurn = 4;
/** Readings that take so long, in ms, were not answered from memory, nor by a disk that is fast enough. */
const slowReading = 4;
/** So many one after another: this process may have been interrupted during a single one. */
const slowReadings = 2;
/** How long nothing is read at once then. */
const pause = 1_000;

export class LoopTime {
  #spent = 0;
  #slow = 0;
  #pausedUntil = Number.NEGATIVE_INFINITY;
  #isTurnKnown = false;

  /** Whether something may be read at once: not where a turn is full, nor while the disk is slow. */
  get isLeft(): boolean {
    return this.#spent < longestTurn && performance.now() >= this.#pausedUntil;
  }

  /** Takes note of work that began at one time, had its bytes at another, and has ended now. */
  note(began: number, hadBytes: number): void {
    const now = performance.now();
    this.#spent += now - began;
    this.#slow = hadBytes - began >= slowReading ? this.#slow + 1 : 0;
    if (this.#slow >= slowReadings) this.#pausedUntil = now + pause;
    if (this.#isTurnKnown) return;
    this.#isTurnKnown = true;
    onNextTurn(() => {
      this.#spent = 0;
      this.#isTurnKnown = false;
    });
  }
}
