/** One state of the world that calls change, and the calls that may be changing it. */

import { randomUUID } from 'node:crypto';
import { hashKey } from '../key/key-hasher.js';
import { History } from '../rollout/history.js';
import { namesFor, touchedNames } from '../rollout/resource-names.js';
import type { ResolvedDeclaration, ToolEffects } from '../rollout/tool-effects.js';
import { everything, overlap, type Resource, resourceOf } from '../tools/resource.js';
import { isDeeper } from './message.js';

/** A tool of one server. */
export interface DeclaredTool {
  readonly server: string;
  readonly name: string;
  readonly declaration: ResolvedDeclaration;
  readonly effects: ToolEffects;
}

/** How much a world remembers: changes and resources, and what the last changes touch. */
const [mostRemembered, mostRecent] = [20_000, 1_000];
/** In ms: for so long what has no answer is taken to change a world that lasts as long as the proxy. */
const longestDoubt = 600_000;
/** In ms: for so long a message that nobody answers is taken to change something. */
const unansweredFor = 10_000;
const all = [resourceOf(everything)];

/** The changes that several worlds have in common, because they may be one. */
export class Doubts {
  /** How many have begun. */
  begun = 0;
  readonly unsettled = new Set<Change>();
}

/** One state that calls change: of a rollout in a session, or of all calls that name none. */
export class World {
  readonly isLive: boolean;
  readonly nonce = randomUUID();
  readonly history = new History();
  readonly doubts: Doubts;
  readonly #unsettled = new Set<Change>();
  /** What the last changes touch. */
  readonly #recent: (readonly Resource[])[] = [];
  #begun = 0;
  /** Of the changes that it has in common with others: its own, and those of others that it has heeded. */
  #own = 0;
  #heeded = 0;

  constructor(isLive: boolean, doubts = new Doubts()) {
    this.isLive = isLive;
    this.doubts = doubts;
  }

  /** How many changes have begun. */
  get begun(): number {
    this.heed();
    return this.#begun;
  }

  /** What may be changing it now. */
  get unsettled(): readonly Change[] {
    return [...this.#unsettled, ...this.doubts.unsettled];
  }

  hasBegunOn(resources: readonly Resource[], since: number): boolean {
    const recent = this.begun - this.#recent.length;
    return since < recent || this.#recent.slice(since - recent).some((each) => touch(each, resources));
  }

  isUnsettledOn(resources: readonly Resource[]): boolean {
    for (const change of this.#unsettled) {
      // In a rollout it is doubted for good.
      if (this.isLive && change.lostAt + longestDoubt < performance.now()) this.settled(change, undefined);
      else if (touch(change.writes, resources)) return true;
    }
    for (const { writes } of this.doubts.unsettled) if (touch(writes, resources)) return true;
    return false;
  }

  /** @param isOwn whether it was called for in this world, and not in one that may be the same */
  began(change: Change, isOwn: boolean): void {
    this.#note(change.writes);
    this.#unsettled.add(change);
    if (isOwn) this.#own += 1;
  }

  settled(change: Change, digest: string | undefined): void {
    if (!this.#unsettled.delete(change)) return;
    if (digest === undefined) this.history.appendUnknown(change.writes);
    else this.history.append(change.writes, digest);
    this.heed();
  }

  /** Nothing that was known holds. */
  forget(): void {
    this.#note(all);
    this.history.forget();
  }

  /**
   * Forgets what has become too much, and all where others have begun to change it. That nothing is kept of each of their
   * changes is so that many worlds cost little.
   */
  heed(): void {
    const others = this.doubts.begun - this.#own;
    if (others !== this.#heeded) {
      this.#heeded = others;
      this.forget();
    }
    if (this.history.size > mostRemembered) this.history.forget();
  }

  #note(writes: readonly Resource[]): void {
    this.#begun += 1;
    this.#recent.push(writes);
    if (this.#recent.length > mostRecent) this.#recent.splice(0, mostRecent / 2);
  }
}

/** A call that may change something, from when it is sent until it is answered. */
export class Change {
  readonly writes: readonly Resource[];
  /** Since when no answer is to be expected. */
  lostAt = Number.POSITIVE_INFINITY;
  readonly #own: World;
  readonly #others: Set<World>;
  readonly #doubts: Doubts | undefined;
  readonly #touched: readonly Resource[];
  /** What it does, and where things stood; `undefined`: it is like no other. */
  readonly #does: readonly unknown[] | undefined;
  readonly #since: number;

  constructor(
    own: World,
    others: Iterable<World>,
    doubts?: Doubts,
    tool?: DeclaredTool,
    params?: CallParams,
  ) {
    own.heed();
    const { effect } = tool?.declaration ?? {};
    const args = params?.arguments ?? {};
    const names = effect?.kind === 'tracked' && effect.isDeclared ? touchedNames(effect, args) : undefined;
    const writes = names && effect?.kind === 'tracked' ? namesFor(effect.writes, args) : undefined;
    [this.#own, this.#others, this.#doubts] = [own, new Set(), doubts];
    this.#touched = names?.map(resourceOf) ?? all;
    this.writes = writes?.map(resourceOf) ?? all;
    const isKnown = names !== undefined && !own.isLive && !own.isUnsettledOn(this.#touched);
    if (isKnown && hasOnlyArguments(params) && !isDeeper(args, 200))
      this.#does = [tool?.server, tool?.name, args, names.map((name) => own.history.partFor(name))];
    if (doubts !== undefined) doubts.begun += 1;
    doubts?.unsettled.add(this);
    own.began(this, own.doubts === doubts);
    for (const world of others) this.reaches(world);
    this.#since = own.begun;
  }

  /** It may change another world too. */
  reaches(world: World): void {
    if (world === this.#own || this.#others.has(world)) return;
    this.#others.add(world);
    world.began(this, false);
  }

  /** It was answered; `result`: unless with an error. */
  answered(result?: unknown): void {
    const { isError, task, resultType = 'complete', _meta, ...said } = (result ?? {}) as CallResult;
    // It goes on.
    if (task !== undefined) {
      this.lost();
      return;
    }
    const isKnown = result !== undefined && isError !== true && resultType === 'complete';
    const isUndisturbed = !this.#own.hasBegunOn(this.#touched, this.#since);
    this.#settle(isKnown && isUndisturbed ? this.#digestWith(said) : undefined);
  }

  /** Nobody knows what it has changed, but that it changes nothing any more. */
  over(): void {
    this.#settle(undefined);
  }

  /** It will have no answer: a while later it is taken to be over. */
  unanswered(): void {
    setTimeout(() => this.over(), unansweredFor).unref();
  }

  /** It has no answer, and may be going on. */
  lost(): void {
    this.lostAt = performance.now();
  }

  #settle(digest: string | undefined): void {
    this.#doubts?.unsettled.delete(this);
    this.#own.settled(this, digest);
    for (const world of this.#others) world.settled(this, undefined);
  }

  #digestWith(said: object): string | undefined {
    if (this.#does === undefined) return undefined;
    try {
      return hashKey('toolstash.change', [...this.#does, said]);
    } catch {
      return undefined;
    }
  }
}

/** The params of `tools/call`. */
export interface CallParams {
  readonly name?: unknown;
  readonly arguments?: unknown;
}

interface CallResult {
  readonly isError?: unknown;
  readonly task?: unknown;
  readonly resultType?: unknown;
  readonly _meta?: unknown;
}

function touch(some: readonly Resource[], others: readonly Resource[]): boolean {
  return some.some((each) => others.some((other) => overlap(each, other)));
}

/** With anything else it means more than name and arguments say. */
function hasOnlyArguments(params: CallParams | undefined): boolean {
  return Object.keys(params ?? {}).every((name) => ['name', 'arguments', '_meta'].includes(name));
}
