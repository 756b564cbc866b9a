/** The way to a server, for one session. */

import type { Message, Messages, ServerLostError } from './message.js';
import type { RolloutName } from './session-worlds.js';

/** What takes the messages for a client. */
export interface ToClient {
  /** `answers`: how many answers to requests the text holds. */
  (text: string, answers?: number): void;
  /** Tells askers apart who choose their ids by themselves. */
  readonly origin?: string;
  /** What goes on to the server of the HTTP request that they ask by. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Which trajectory that says it is part of. */
  readonly rollout?: RolloutName | undefined;
  /** The server answers by a stream: so it is answered itself, though there may be nothing more to say. */
  readonly asStream?: (() => void) | undefined;
}

/** What comes from a server. */
export interface LinkListener {
  /**
   * A message, or what should be one. `answering`: the own id of the request with whose answers it came, if that is known.
   * `found`: what it says, where somebody has read it.
   */
  onMessage(text: string, answering?: string, found?: Messages): void;
  /** A request, by its own id, is answered by a stream. */
  onStream(id: unknown): void;
  /** A request, by its own id, has no answer. */
  onFailed(id: unknown, error: Error): void;
  /** What was asked has no answer any more. */
  onLost(error: ServerLostError): void;
  /** The server has begun anew, and knows nothing of what was. `welcome`: its answer to `initialize`, if it was told that. */
  onBack(welcome?: Message): void;
}

/** A connection that comes back by itself. */
export interface ServerLink {
  /** Whether nothing goes on of what it was asked once the server is lost. */
  readonly endsWork: boolean;
  /** @throws ServerLostError while the server is away */
  send(message: Message): void;
  /** Resolves once more can be sent; `undefined`: now. */
  room(): Promise<void> | undefined;
  /** Holds back what the server says, or lets it come again. */
  hold(isHeld: boolean): void;
  /** Ends it, and what belongs to it. */
  close(): Promise<void>;
}

/** Makes a link whose messages go to the listener. */
export type OpenLink = (listener: LinkListener) => ServerLink;
