/** What a server waits for its client to answer, under own ids: each process of it begins to count anew. */

import { edited, jsonText } from './json-text.js';
import { idKey, type Message, recordIn } from './message.js';

/** The requests of one session's server. */
export class ServerRequests {
  readonly #prefix: string;
  #ids = 0;
  /** The ids that the server has given, by own id. */
  readonly #asked = new Map<string, unknown>();

  /** @param prefix what no other session's ids begin with */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** A request, as the client is sent it. */
  asked({ text, value }: Message): string {
    const own = `${this.#prefix}-s${++this.#ids}`;
    this.#asked.set(own, value['id']);
    return edited(text, [[['id'], jsonText(own)]]);
  }

  /** The client's answer, as the server is sent it; `undefined`: nobody waits for it. */
  answered({ text, value }: Message): Message | undefined {
    const own = value['id'] as string;
    const id = this.#asked.get(own);
    if (!this.#asked.delete(own)) return undefined;
    return { text: edited(text, [[['id'], jsonText(id)]]), value: { ...value, id } };
  }

  /** The server has cancelled something; as the client is sent it. */
  cancelled({ text, value }: Message): string {
    const key = idKey(recordIn(value, 'params')['requestId']);
    const [own] = [...this.#asked].find(([, id]) => idKey(id) === key) ?? [];
    if (own === undefined) return text;
    this.#asked.delete(own);
    return edited(text, [[['params', 'requestId'], jsonText(own)]]);
  }

  /** Nobody waits any more; the ids under which the client was asked. */
  clear(): readonly string[] {
    const ids = [...this.#asked.keys()];
    this.#asked.clear();
    return ids;
  }
}
