/** Values so large that decoding them in one piece would hold up the event loop. */

import { onNextTurn } from '../next-turn.js';

/** Encoded bytes from which on a value is decoded in slices: those that are decoded in a millisecond or two. */
export const largeValueBytes = 2 ** 16;

/** How the encoded value is read. */
export interface LargeValueSource {
  decode(): unknown;
  /** `decode` in slices; `check` throws where the value is not wanted any more. */
  decodeInSlices(check: () => void): Promise<unknown>;
  encoded(): Uint8Array;
}

/** Who may come to want a value no more. */
interface Caller {
  readonly aborted: boolean;
  readonly reason: unknown;
}

/** An encoded value, and copies of it that were decoded in slices for who is about to take them. */
export class LargeValue {
  readonly #source: LargeValueSource;
  readonly #ready: { readonly copy: unknown }[] = [];

  constructor(source: LargeValueSource) {
    this.#source = source;
  }

  /** Whether a copy is ready to be taken. */
  get isReady(): boolean {
    return this.#ready.length > 0;
  }

  /**
   * Decodes a copy in slices. Whoever waits for it takes it with `decode` in the same turn: what nobody takes then is
   * let go, as its memory is not counted. A failure is left to `decode`, which fails just so.
   * @throws the reason of a caller who has aborted
   */
  async prepare(caller?: Caller): Promise<void> {
    const check = () => {
      if (caller?.aborted) throw caller.reason;
    };
    let ready: { readonly copy: unknown };
    try {
      ready = { copy: await this.#source.decodeInSlices(check) };
    } catch {
      check();
      return;
    }
    check();
    this.#ready.push(ready);
    onNextTurn(() => {
      const place = this.#ready.indexOf(ready);
      if (place >= 0) this.#ready.splice(place, 1);
    });
  }

  /** A copy that is ready, or else one that is decoded at once. */
  decode(): unknown {
    const ready = this.#ready.shift();
    return ready === undefined ? this.#source.decode() : ready.copy;
  }

  /** The complete msgpack. */
  encoded(): Uint8Array {
    return this.#source.encoded();
  }
}
