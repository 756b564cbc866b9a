/** Connections to clients, registered under a session by the nodes that have them, whoever holds the session. */

import type { CacheError } from '../errors.js';
import type { HeldSessions } from './held-sessions.js';
import type { NodeLease } from './node-lease.js';
import type { NodeLife } from './node-life.js';
import type { SessionCommands } from './session-commands.js';
import { asCacheError, SessionLimitError, SessionLostError } from './session-errors.js';
import { connectionMember } from './session-keys.js';
import type { Holding } from './session-replies.js';

/** What becomes of a connection's registration at its end. */
interface ConnectionHost {
  readonly node: NodeLease;
  readonly onLost: (lease: ConnectionLease) => void;
  /** Never rejects. */
  readonly giveBack: (lease: ConnectionLease) => Promise<void>;
}

/** A connection that this node has registered under a session. It counts for as long as the node is alive. */
export class ConnectionLease {
  /** Its id within the session. */
  readonly id: string;
  /** The session. */
  readonly sessionId: string;
  readonly #host: ConnectionHost;
  readonly #controller = new AbortController();
  #closed: Promise<void> | undefined;

  /** @internal */
  constructor(host: ConnectionHost, sessionId: string, id: string) {
    this.#host = host;
    this.sessionId = sessionId;
    this.id = id;
  }

  /** Aborted once the registration is lost or closed. Its reason is a `SessionLostError`. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The stay of the node that has it. @internal */
  get incarnation(): string {
    return this.#host.node.incarnation;
  }

  /** Takes it off the list. Never rejects, and does nothing where it is lost or closed already. */
  close(): Promise<void> {
    if (this.#closed === undefined) {
      const isHeld = !this.signal.aborted && this.#host.node.isHeld;
      this.lose(undefined, 'it was closed');
      this.#closed = isHeld ? this.#host.giveBack(this) : Promise.resolve();
    }
    return this.#closed;
  }

  /** Closes it at the end of its block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** It is not registered any more. @internal */
  lose(cause: CacheError | undefined, why = 'its node has lapsed'): void {
    if (this.signal.aborted) return;
    const message = `The connection \`${this.id}\` is not registered any more: ${cause?.message ?? why}`;
    this.#controller.abort(new SessionLostError(this.sessionId, message, { cause }));
    this.#host.onLost(this);
  }
}

/** What connections are registered with. */
export interface SessionConnectionsInit {
  readonly commands: SessionCommands;
  readonly held: HeldSessions;
  readonly life: NodeLife;
  /** How long what was sent may still take effect, in ms. */
  readonly claimMs: number;
  readonly onError: (error: CacheError) => void;
}

/** The connections of this node. */
export class SessionConnections {
  readonly #init: SessionConnectionsInit;

  constructor(init: SessionConnectionsInit) {
    this.#init = init;
  }

  /** @throws SessionLimitError where the session has as many as there may be */
  async attach(sessionId: string, id: string, limit: number | undefined): Promise<ConnectionLease> {
    const { commands, held, life, claimMs } = this.#init;
    const node = life.need();
    const member = connectionMember(sessionId, id);
    return await held.pending([member], async () => {
      let number: number | 'full';
      try {
        number = await commands.attach(node.claimant(claimMs), { sessionId, id, limit, member });
      } catch (error) {
        held.noteUnsure(commands.shardOf(sessionId));
        throw error;
      }
      if (number === 'full') {
        const most = `as many connections as there may be (${limit})`;
        throw new SessionLimitError(limit!, `The session \`${sessionId}\` has ${most}: close one`);
      }
      if (!node.isHeld)
        throw new SessionLostError(sessionId, `This node has lapsed before \`${id}\` was registered`);
      return this.#hold(node, { sessionId, id, member }, number);
    });
  }

  #hold(
    node: NodeLease,
    { sessionId, id, member }: { sessionId: string; id: string; member: string },
    number: number,
  ): ConnectionLease {
    const { held } = this.#init;
    const onLost = () => held.removeConnection(lease, number);
    const giveBack = () => this.#giveBack(lease, { member, fence: String(number) });
    const lease: ConnectionLease = new ConnectionLease({ node, onLost, giveBack }, sessionId, id);
    held.addConnection(lease, number);
    return lease;
  }

  async #giveBack({ sessionId, id, incarnation }: ConnectionLease, listed: Holding): Promise<void> {
    const { commands, held, onError } = this.#init;
    const shard = commands.shardOf(sessionId);
    try {
      const list = [{ sessionId, id, ...listed }];
      await commands.detach(shard, incarnation, { from: incarnation, list });
    } catch (error) {
      held.noteUnsure(shard);
      onError(asCacheError(error, `The connection \`${id}\` could not be taken off the list yet`));
    }
  }
}
