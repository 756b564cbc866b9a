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
const all = [resourceOf(everything)];

/** One state that calls change: of a rollout in a session, or of all calls that name none. */
export class World {
  readonly isLive: boolean;
  readonly nonce = randomUUID();
  readonly history = new History();
  readonly #unsettled = new Set<Change>();
  /** What the last changes touch. */
  readonly #recent: (readonly Resource[])[] = [];
  #begun = 0;

  constructor(isLive: boolean) {
    this.isLive = isLive;
  }

  /** How many changes have begun. */
  get begun(): number {
    return this.#begun;
  }

  hasBegunOn(resources: readonly Resource[], since: number): boolean {
    const recent = this.#begun - this.#recent.length;
    return since < recent || this.#recent.slice(since - recent).some((each) => touch(each, resources));
  }

  isUnsettledOn(resources: readonly Resource[]): boolean {
    for (const change of this.#unsettled) {
      // In a rollout it is doubted for good.
      if (this.isLive && change.lostAt + longestDoubt < performance.now()) this.settled(change, undefined);
      else if (touch(change.writes, resources)) return true;
    }
    return false;
  }

  began(change: Change): void {
    this.#begun += 1;
    this.#recent.push(change.writes);
    if (this.#recent.length > mostRecent) this.#recent.splice(0, mostRecent / 2);
    this.#unsettled.add(change);
  }

  settled(change: Change, digest: string | undefined): void {
    if (this.#unsettled.delete(change)) this.#append(change.writes, digest);
  }

  /** Nothing that was known holds. */
  forget(): void {
    this.#begun += 1;
    this.#recent.push(all);
    this.history.forget();
  }

  /** Forgets what has become too much. */
  bound(): void {
    if (this.history.size > mostRemembered) this.history.forget();
  }

  #append(writes: readonly Resource[], digest: string | undefined): void {
    if (digest === undefined) this.history.appendUnknown(writes);
    else this.history.append(writes, digest);
    this.bound();
  }
}

/** A call that may change something, from when it is sent until it is answered. */
export class Change {
  readonly writes: readonly Resource[];
  /** Since when no answer is to be expected. */
  lostAt = Number.POSITIVE_INFINITY;
  readonly #own: World;
  readonly #others: ReadonlySet<World>;
  readonly #touched: readonly Resource[];
  /** What it does, and where things stood; `undefined`: it is like no other. */
  readonly #does: readonly unknown[] | undefined;
  readonly #since: number;

  constructor(own: World, others: ReadonlySet<World>, tool?: DeclaredTool, params?: CallParams) {
    const { effect } = tool?.declaration ?? {};
    const args = params?.arguments ?? {};
    const names = effect?.kind === 'tracked' && effect.isDeclared ? touchedNames(effect, args) : undefined;
    const writes = names && effect?.kind === 'tracked' ? namesFor(effect.writes, args) : undefined;
    [this.#own, this.#others] = [own, others];
    this.#touched = names?.map(resourceOf) ?? all;
    this.writes = writes?.map(resourceOf) ?? all;
    const isKnown = names !== undefined && !own.isLive && !own.isUnsettledOn(this.#touched);
    if (isKnown && hasOnlyArguments(params) && !isDeeper(args, 200))
      this.#does = [tool?.server, tool?.name, args, names.map((name) => own.history.partFor(name))];
    for (const world of [own, ...others]) world.began(this);
    this.#since = own.begun;
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

  /** It has no answer, and may be going on. */
  lost(): void {
    this.lostAt = performance.now();
  }

  #settle(digest: string | undefined): void {
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
