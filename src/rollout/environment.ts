/**
 * Rollouts whose world can be made again: their writes are answered from the cache too, as long as no tool has to run. At
 * the first one that has, the writes so far are replayed.
 */

import { AsyncLocalStorage } from 'node:async_hooks';
import { isError } from '../errors.js';
import { beginWait, WaitNode } from '../guard/wait-graph.js';
import { CacheError, hashKey, ReentrantLoadError } from '../index.js';

/** A write whose answer came from the cache. */
export interface RecordedWrite {
  /** The tool's name. */
  readonly tool: string;
  /** Its input: a copy. */
  readonly input: unknown;
}

/** The world of one rollout, which can be brought to where a rollout stands. */
export interface RolloutEnvironment {
  /**
   * Takes a copy of a world that has the first of these writes behind it, and returns how many; 0 for a fresh one. Called
   * once, before the first `replay`.
   * @default 0: the world is fresh
   */
  fork?(writes: readonly RecordedWrite[]): number | PromiseLike<number>;
  /**
   * Runs these writes one after the other, and returns the result of each. It calls the tools themselves: a call through
   * its own rollout would wait for the world that is being made, and is refused with a `ReentrantLoadError`. Of a tool that
   * returns what later writes change, it returns a copy.
   */
  replay(writes: readonly RecordedWrite[]): readonly unknown[] | PromiseLike<readonly unknown[]>;
}

interface Pending extends RecordedWrite {
  readonly resultDigest: string;
}

/** One run of an environment's functions. */
interface Making {
  readonly of: Materialization;
  /** The run, of another rollout's environment, in which this one was begun. */
  readonly parent: Making | undefined;
  isOver: boolean;
}

/** The run that the current code is part of. */
const enclosing = new AsyncLocalStorage<Making>();

/** How far the world of a rollout is behind its answers. */
export class Materialization {
  readonly #environment: RolloutEnvironment;
  readonly #pending: Pending[] = [];
  readonly #node = new WaitNode('', 'environment');
  readonly #onBegun = new Set<() => void>();
  #begun: Promise<void> | undefined;
  #isReady = false;
  #failure: Error | undefined;

  constructor(environment: RolloutEnvironment) {
    this.#environment = environment;
  }

  /** Whether no tool had to run so far. */
  get isVirtual(): boolean {
    return this.#begun === undefined;
  }

  /** Whether the world is there. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** Calls `begun` when the world begins to be made, until the returned function is called. */
  onBegun(begun: () => void): () => void {
    this.#onBegun.add(begun);
    return () => this.#onBegun.delete(begun);
  }

  /** Why the rollout can't go on: its world can't be made, or is another than it was told. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** @throws ReentrantLoadError where the current code is what makes the world: it would wait for itself */
  refuseWithin(tool: string): void {
    for (let making = enclosing.getStore(); making !== undefined; making = making.parent) {
      if (making.of !== this || making.isOver) continue;
      throw new ReentrantLoadError(
        `The \`environment\` of a rollout called \`${tool}\` through that same rollout, which waits for it: call the tool ` +
          'itself in `replay` and `fork`',
      );
    }
  }

  /**
   * Brings the world to where the rollout stands.
   * @throws CacheError `ERR_ROLLOUT_DIVERGED`; ReentrantLoadError where what makes the world waits for the current code
   */
  async materialize(): Promise<void> {
    if (this.#begun === undefined) {
      this.#begun = this.#orFail(this.#node.run(() => this.#replayAll())).finally(() => this.#node.settle());
      for (const begun of this.#onBegun) begun();
    }
    if (!this.#isReady) await this.#wait(this.#node, this.#begun);
  }

  /** Takes down a write that was answered from the cache; where the world is real by now, it is run. */
  async answered(write: Pending): Promise<void> {
    if (this.#begun === undefined) {
      this.#pending.push(write);
      return;
    }
    await this.materialize();
    const node = new WaitNode('', 'environment');
    const replayed = this.#orFail(node.run(() => this.#replay([write]))).finally(() => node.settle());
    await this.#wait(node, replayed);
  }

  /** Waits for what makes the world. */
  async #wait(node: WaitNode, made: Promise<void>): Promise<void> {
    const end = beginWait(node);
    if (end === undefined) {
      throw new ReentrantLoadError(
        'The environments of rollouts wait for each other: one calls a tool through a rollout whose world is being made by ' +
          'one that calls a tool through the first. Call the tools themselves in `replay` and `fork`',
      );
    }
    try {
      await made;
    } finally {
      end();
    }
  }

  async #orFail(replayed: Promise<void>): Promise<void> {
    try {
      await replayed;
    } catch (error) {
      this.#failure = isError(error) ? error : new Error(String(error));
      throw error;
    }
  }

  async #replayAll(): Promise<void> {
    const writes = this.#pending.map(({ tool, input }) => ({ tool, input }));
    const done = (await this.#make(() => this.#environment.fork?.(writes))) ?? 0;
    if (!Number.isInteger(done) || done < 0 || done > writes.length) {
      throw new CacheError(
        'ERR_INVALID_ARGUMENT',
        `Expected \`environment.fork()\` to return how many of ${writes.length} writes are done, got \`${done}\``,
      );
    }
    await this.#replay(this.#pending.slice(done));
    this.#isReady = true;
  }

  /** Runs a function of the environment's. */
  async #make<R>(run: () => R): Promise<Awaited<R>> {
    const making: Making = { of: this, parent: enclosing.getStore(), isOver: false };
    try {
      return await enclosing.run(making, run);
    } finally {
      making.isOver = true;
    }
  }

  async #replay(writes: readonly Pending[]): Promise<void> {
    if (writes.length === 0) return;
    const given = writes.map(({ tool, input }) => ({ tool, input }));
    const results = await this.#make(() => this.#environment.replay(given));
    for (const [at, { tool, resultDigest }] of writes.entries()) {
      if (at < (results?.length ?? 0) && digestOf(results[at]) === resultDigest) continue;
      throw new CacheError(
        'ERR_ROLLOUT_DIVERGED',
        `Replayed, the write \`${tool}\` came to another result than the one that this rollout was told: its answers so far ` +
          'do not hold in its world. Begin it anew, and declare what that tool reads',
      );
    }
  }
}

/** The digest of a result; `undefined` for what has none. */
export function digestOf(value: unknown): string | undefined {
  try {
    return hashKey('toolstash.result', value);
  } catch {
    return undefined;
  }
}
