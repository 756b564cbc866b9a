/** What a server has been asked under own ids, and has not answered yet. */

import { randomUUID } from 'node:crypto';
import { type Edit, edited, jsonText } from './json-text.js';
import { idKey, type Message } from './message.js';
import type { ToClient } from './server-link.js';
import type { Change } from './tool-world.js';

/** A request that the server has not answered yet. */
export interface Pending {
  readonly method: string;
  /** Where answer and progress go, if it is the client's: as it calls them. */
  readonly client?: { readonly id: unknown; readonly to: ToClient } | undefined;
  /** The client's progress token; `undefined`: nobody wants to know, or not any more. */
  readonly token: () => unknown;
  readonly to: ToClient;
  /** What it may change. */
  readonly change?: Change | undefined;
  /** Of a request of our own. */
  resolve?(result: unknown): void;
  reject(error: unknown): void;
}

/** What of a request is left that goes on as a task. */
type Task = Pick<Pending, 'token' | 'to'>;

/** Tokens of requests that were answered and whose work goes on, and requests that were cancelled, at most. */
const most = 10_000;
const nobody = () => undefined;

/** The requests of one session. */
export class PendingRequests {
  /** So that no id is one of another session, or of a client. */
  readonly prefix = randomUUID().slice(0, 8);
  readonly #pending = new Map<string, Pending>();
  /** By own token. */
  readonly #tasks = new Map<string, Task>();
  #ids = 0;

  /** The message under an own id. */
  add({ text, value }: Message, pending: Pending): Message {
    const own = `${this.prefix}-${++this.#ids}`;
    this.#pending.set(idKey(own), pending);
    const edits: Edit[] = [[['id'], jsonText(own)]];
    if (pending.token() !== undefined) edits.push([['params', '_meta', 'progressToken'], jsonText(own)]);
    return { text: edited(text, edits), value: { ...value, id: own }, headers: pending.to.headers };
  }

  get(id: unknown): Pending | undefined {
    return this.#pending.get(idKey(id));
  }

  /** Takes a request out. */
  take(id: unknown): Pending | undefined {
    const pending = this.get(id);
    this.#pending.delete(idKey(id));
    return pending;
  }

  /** Nobody waits for the answer any more, but for what it says of changes. */
  cancel(id: unknown): void {
    const { change, ...pending } = this.take(id) ?? {};
    if (change === undefined) return;
    change.lost();
    if (this.#pending.size < most)
      this.#pending.set(idKey(id), {
        ...(pending as Pending),
        change,
        client: undefined,
        token: nobody,
        reject: nobody,
      });
  }

  /** A request that was answered goes on as a task. */
  goesOn(id: unknown, pending: Pending): void {
    if (this.#tasks.size < most) this.#tasks.set(idKey(id), pending);
  }

  /** Whose progress is told under a token. */
  asking(token: unknown): Task | undefined {
    return this.get(token) ?? this.#tasks.get(idKey(token));
  }

  /** Takes all out. */
  clear(): readonly Pending[] {
    const all = [...this.#pending.values()];
    this.#pending.clear();
    this.#tasks.clear();
    return all;
  }
}
