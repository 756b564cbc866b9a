/** A child process that is started again when it dies, and told then what it had been told of the session. */

import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../errors.js';
import { ChildServer, type Program } from './child-server.js';
import { idKey, kindOf, type Message, parsedMessages, ServerLostError } from './message.js';
import type { LinkListener, ServerLink } from './server-link.js';
import { SessionSetupMessages } from './session-setup-messages.js';

/** Times in ms. */
const [firstDelay, longestDelay, soundAfter, startTimeout] = [100, 30_000, 10_000, 30_000];
/** Up to this delay messages wait for the server, and are refused beyond. */
const shortDelay = 1_000;
/** Messages that wait, at most. */
const mostWaiting = 1_000;

type State =
  | { readonly kind: 'up'; readonly child: ChildServer; readonly since: number }
  /** It is started again, or about to be. */
  | { readonly kind: 'starting'; readonly waiting: Message[] }
  | { readonly kind: 'down'; readonly error: ServerLostError }
  | { readonly kind: 'closed' };

/** A link to a server that is a child process. */
export class RestartingServer implements ServerLink {
  readonly endsWork = true;
  readonly #name: string;
  readonly #program: Program;
  readonly #listener: LinkListener;
  readonly #closing = new AbortController();
  readonly #told = new SessionSetupMessages();
  #state: State;
  #child: ChildServer | undefined;
  /** Starts that have failed one after the other, or came to nothing soon. */
  #failures = 0;
  #isHeld = false;

  constructor(name: string, program: Program, listener: LinkListener) {
    this.#name = name;
    this.#program = program;
    this.#listener = listener;
    this.#state = { kind: 'up', child: this.#start((line) => listener.onMessage(line)), since: now() };
  }

  send(message: Message): void {
    const state = this.#state;
    if (state.kind === 'closed') throw this.#lost('is closed');
    if (state.kind === 'down') throw state.error;
    if (state.kind === 'up') this.#tell(state.child, message);
    else if (state.waiting.length < mostWaiting) state.waiting.push(message);
    else throw this.#lost('is starting, and too much waits for it');
  }

  room(): Promise<void> | undefined {
    return this.#child?.room();
  }

  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
    this.#child?.hold(isHeld);
  }

  async close(): Promise<void> {
    this.#state = { kind: 'closed' };
    this.#closing.abort();
    await this.#child?.close();
  }

  #start(onLine: (line: string) => void): ChildServer {
    const child = new ChildServer(this.#program, {
      onLine: (line) => {
        if (this.#child === child) onLine(line);
      },
      onEnd: (reason) => {
        if (this.#child === child) void this.#ended(reason);
      },
    });
    this.#child = child;
    if (this.#isHeld) child.hold(true);
    return child;
  }

  async #ended(reason: string): Promise<void> {
    const before = this.#state;
    if (before.kind === 'closed') return;
    this.#child = undefined;
    if (before.kind === 'up' && now() - before.since > soundAfter) this.#failures = 0;
    const delay = Math.min(longestDelay, firstDelay * 2 ** this.#failures);
    this.#failures += 1;
    const when = `it is started again${delay < 1_000 ? '' : ` in ${Math.round(delay / 1_000)} s`}`;
    const error = this.#lost(`has ended (${reason}), and what was asked of it has no answer: ${when}`);
    const waits = before.kind === 'up' && delay <= shortDelay;
    this.#state = waits ? { kind: 'starting', waiting: [] } : { kind: 'down', error };
    this.#listener.onLost(error);
    try {
      await sleep(delay, undefined, { signal: this.#closing.signal });
    } catch {
      return;
    }
    try {
      this.#restart();
    } catch (cause) {
      // It can't be started now: perhaps there is no memory.
      void this.#ended(messageOf(cause));
    }
  }

  #restart(): void {
    const { initialize } = this.#told;
    let isReady = false;
    const child = this.#start((line) => {
      const welcome = isReady || initialize === undefined ? undefined : answerTo(initialize, line);
      if (welcome === undefined) {
        this.#listener.onMessage(line);
        return;
      }
      isReady = true;
      clearTimeout(timeout);
      this.#up(child, welcome);
    });
    const timeout = setTimeout(() => void child.close(), startTimeout).unref();
    if (initialize !== undefined) child.write(initialize.text);
    else {
      clearTimeout(timeout);
      this.#up(child);
    }
  }

  #up(child: ChildServer, welcome?: Message): void {
    const state = this.#state;
    if (state.kind === 'closed') return;
    this.#state = { kind: 'up', child, since: now() };
    for (const { text } of this.#told.afterwards()) child.write(text);
    this.#listener.onBack(welcome);
    if (state.kind === 'starting') for (const message of state.waiting) this.#tell(child, message);
  }

  #tell(child: ChildServer, message: Message): void {
    this.#told.note(message);
    child.write(message.text);
  }

  #lost(what: string): ServerLostError {
    return new ServerLostError(`toolstash: the server \`${this.#name}\` ${what}`);
  }
}

/** Its result, if the line is that. */
function answerTo({ value: { id } }: Message, line: string): Message | undefined {
  const answer = parsedMessages(line);
  if (answer === undefined || !('value' in answer) || kindOf(answer.value) !== 'response') return undefined;
  const isIts = idKey(answer.value['id']) === idKey(id) && answer.value['error'] === undefined;
  return isIts ? answer : undefined;
}

const now = () => performance.now();
