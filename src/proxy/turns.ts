/** Messages that nothing may overtake, and that are answered by nothing but being taken: notifications over HTTP. */

import { type Deferred, deferred } from './deferred.js';

/** Those that wait to be taken, at most, before more has to wait elsewhere. */
const mostUntaken = 100;

/** The turns of one server. */
export class Turns {
  #last: Deferred | undefined;
  #untaken = 0;
  #room: Deferred | undefined;

  /** What has to be waited for; `undefined`: nothing. */
  get last(): Promise<void> | undefined {
    return this.#last?.over;
  }

  /** Begins one; what ends it. */
  begin(): () => void {
    const own = deferred();
    this.#last = own;
    this.#untaken += 1;
    return () => {
      if (own.isOver) return;
      own.end();
      if (this.#last === own) this.#last = undefined;
      this.#untaken -= 1;
      if (this.#untaken >= mostUntaken) return;
      this.#room?.end();
      this.#room = undefined;
    };
  }

  /** Resolves once there are fewer; `undefined`: now. */
  room(): Promise<void> | undefined {
    if (this.#untaken < mostUntaken) return undefined;
    this.#room ??= deferred();
    return this.#room.over;
  }
}
