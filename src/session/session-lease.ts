/** The right to work on one session, for as long as the node is alive and nobody has taken the session over. */

import type { CacheError } from '../errors.js';
import type { ValueCodec } from '../value/codec.js';
import type { NodeLease } from './node-lease.js';
import type { SessionCommands } from './session-commands.js';
import { SessionLostError } from './session-errors.js';
import type { SessionState, SessionTypes } from './session-types.js';

/** How a session is given back. */
export interface ReleaseOptions {
  /**
   * Whether its state stays for the next holder, for `stateTtl`. `false` deletes it: the session is over.
   * @default true
   */
  readonly keepState?: boolean | undefined;
}

/** What leases work with. */
export interface SessionLeaseHost {
  readonly commands: SessionCommands;
  readonly codec: ValueCodec;
  /** The node's time is over: everything that it holds is lost, this lease too. */
  readonly onExpired: (node: NodeLease) => void;
  /** The lease is not held any more. */
  readonly onLost: (lease: SessionLease) => void;
  /** Gives it back on the server too. Never rejects. */
  readonly giveBack: (lease: SessionLease, keepState: boolean) => Promise<void>;
}

/**
 * A session that this node holds, until its `signal` is aborted. Each operation first checks the node's own deadline, then the
 * server checks the fencing number: who was taken for dead and comes back writes nothing.
 */
export class SessionLease<T extends SessionTypes = SessionTypes> {
  /** The session. */
  readonly id: string;
  /** Whose session it is, where that was said. */
  readonly user: string | undefined;
  /**
   * The fencing number: higher than that of every earlier holder. Other stores can refuse a writer with a lower number than
   * one that they have seen.
   */
  readonly fence: number;
  readonly #node: NodeLease;
  readonly #host: SessionLeaseHost;
  readonly #controller = new AbortController();
  #end: SessionLostError | undefined;
  #released: Promise<void> | undefined;

  /** @internal */
  constructor(
    host: SessionLeaseHost,
    node: NodeLease,
    { id, user, fence }: { id: string; user: string | undefined; fence: number },
  ) {
    this.id = id;
    this.user = user;
    this.fence = fence;
    this.#host = host;
    this.#node = node;
  }

  /** Aborted once the session is lost or released. Its reason is a `SessionLostError`. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether it is held at this very moment, by this node's own clock. */
  get isHeld(): boolean {
    return this.#end === undefined && this.#node.isHeld;
  }

  /** The stay of the node that holds it. */
  get incarnation(): string {
    return this.#node.incarnation;
  }

  /**
   * Checks, without asking the server, that it is held: before anything is done outside that only its holder may do.
   * @throws SessionLostError
   */
  check(): void {
    if (!this.#node.isHeld) this.#host.onExpired(this.#node);
    if (this.#end !== undefined) throw this.#end;
  }

  /**
   * Stores the state of the session, of any type that a cache can store. Rejects with `SessionLostError` where somebody else
   * has claimed the session meanwhile: then nothing was written. Rejects with `ERR_STORAGE` where it is not known whether it was.
   */
  async setState(state: SessionState<T>): Promise<void> {
    this.check();
    const bytes = Buffer.from(this.#host.codec.encode(state));
    // To encode much takes its time.
    this.check();
    const { id, incarnation, fence } = this;
    if (!(await this.#host.commands.write(id, incarnation, fence, bytes))) this.#refused();
  }

  /** The state of the session as it was set last, also by its earlier holders; `undefined` if it never was. */
  async getState(): Promise<SessionState<T> | undefined> {
    this.check();
    const [found] = await this.#host.commands.fields([this.id], 'i', 'f', 'd');
    const [incarnation, fence, state] = found!;
    if (String(incarnation) !== this.incarnation || String(fence) !== String(this.fence)) this.#refused();
    this.check();
    return state ? (this.#host.codec.decode(state) as SessionState<T>) : undefined;
  }

  /**
   * Gives the session back: anybody may claim it from now on. Never rejects, and does nothing where it is lost or released
   * already. Where Redis can't be reached it is given back later, by the end of this node at the latest.
   */
  release({ keepState = true }: ReleaseOptions = {}): Promise<void> {
    if (this.#released === undefined) {
      const { isHeld } = this;
      this.lose(undefined, 'it was released');
      this.#released = isHeld ? this.#host.giveBack(this as SessionLease, keepState) : Promise.resolve();
    }
    return this.#released;
  }

  /** Releases it at the end of its block: `await using lease = …`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }

  /** It is not held any more. @internal */
  lose(cause: CacheError | undefined, why = 'its node has lapsed'): void {
    if (this.#end !== undefined) return;
    const message = `The session \`${this.id}\` is not held any more: ${cause?.message ?? why}`;
    this.#end = new SessionLostError(this.id, message, { cause });
    this.#controller.abort(this.#end);
    this.#host.onLost(this as SessionLease);
  }

  #refused(): never {
    this.lose(undefined, 'somebody else has claimed it');
    throw this.#end!;
  }
}
