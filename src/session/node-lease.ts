/**
 * One stay of a node among the living. Its deadline is counted from the moment at which a renewal was *sent*, by a clock that
 * never jumps: whatever delays the answer, this node takes itself for dead before anybody else does.
 */

import type { Clock } from '../clock.js';
import type { CacheError } from '../errors.js';
import type { Claimant } from './session-replies.js';

export class NodeLease {
  readonly incarnation: string;
  readonly #clock: Clock;
  readonly #ttl: number;
  /** When it ends, by `Clock.elapsed()`. */
  #until: number;
  /** What the server's clock said, in microseconds, and when it was asked. */
  #server: { readonly time: number; readonly askedAt: number };
  #lostBy: CacheError | undefined;

  constructor(incarnation: string, init: { clock: Clock; ttl: number; sentAt: number; time: number }) {
    this.incarnation = incarnation;
    this.#clock = init.clock;
    this.#ttl = init.ttl;
    this.#until = init.sentAt + init.ttl;
    this.#server = { time: init.time, askedAt: init.sentAt };
  }

  /** Why it is over. */
  get lostBy(): CacheError | undefined {
    return this.#lostBy;
  }

  get msLeft(): number {
    return this.#until - this.#clock.elapsed();
  }

  get isHeld(): boolean {
    return this.#lostBy === undefined && this.msLeft > 0;
  }

  /** A renewal has got through that was sent at this moment. One that is over stays so. */
  renewed(sentAt: number, time: number): void {
    this.#until = Math.max(this.#until, sentAt + this.#ttl);
    this.#server = { time, askedAt: sentAt };
  }

  end(cause: CacheError): void {
    this.#lostBy ??= cause;
  }

  /** About what the server's clock says, in microseconds. */
  get serverNow(): number {
    return Math.floor(this.#server.time + (this.#clock.elapsed() - this.#server.askedAt) * 1_000);
  }

  /** As whom to ask, so that what is sent now takes no effect more than `ms` from now, nor after this lease. */
  claimant(ms: number): Claimant {
    const end = this.#server.time + this.#ttl * 1_000;
    return {
      incarnation: this.incarnation,
      notAfter: Math.floor(Math.min(this.serverNow + ms * 1_000, end)),
    };
  }
}
