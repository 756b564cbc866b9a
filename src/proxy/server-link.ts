/** The way to a server, for one session. */

import type { Message, ServerLostError } from './message.js';

/** What takes the messages for a client. */
export type ToClient = (text: string) => void;

/** What comes from a server. */
export interface LinkListener {
  /** A message, or what should be one. `answering`: the own id of the request with whose answers it came, if that is known. */
  onMessage(text: string, answering?: string): void;
  /** What was asked has no answer any more. */
  onLost(error: ServerLostError): void;
  /** The server has begun anew, and knows nothing of what was. */
  onBack(): void;
}

/** A connection that comes back by itself. */
export interface ServerLink {
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
