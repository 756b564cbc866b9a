/** Memory that whole entries are put together in, and copied to. */

import type { StripeMemory } from '../../src/arena/layout.js';
import { Scratch } from '../../src/arena/scratch.js';
import type { EntryTaker } from '../../src/arena/stripe.js';

export class WholeEntry extends Scratch implements EntryTaker {
  take({ ring }: StripeMemory, place: number): boolean {
    const size = ring[place]!;
    if (size <= 0 || place + size > ring.length) return false;
    this.grow(size);
    this.words.set(ring.subarray(place, place + size));
    return true;
  }
}
