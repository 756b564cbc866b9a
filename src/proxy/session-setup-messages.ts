/** What a server was told that makes the session what it is, for one that begins anew. */

import { type Message, recordIn } from './message.js';

/** The messages of a session that are sent again. Answers to them are nobody's then. */
export class SessionSetupMessages {
  initialize: Message | undefined;
  readonly #others = new Map<string, Message>();

  note(message: Message): void {
    const { method, params } = message.value;
    if (method === 'initialize') this.initialize = message;
    if (method === 'notifications/initialized' || method === 'logging/setLevel')
      this.#others.set(method, message);
    const uri = `uri ${String(recordIn({ params }, 'params')['uri'])}`;
    if (method === 'resources/subscribe') this.#others.set(uri, message);
    if (method === 'resources/unsubscribe') this.#others.delete(uri);
  }

  afterwards(): Iterable<Message> {
    return this.#others.values();
  }
}
