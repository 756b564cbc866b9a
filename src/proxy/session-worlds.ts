/**
 * What calls may have changed, as far as they have passed here, and so which answers still hold. Unlike a `Rollout`, a relay
 * lets nothing wait: what is called while something that it depends on may be changing goes to the server, and is its
 * caller's alone.
 */

import { randomUUID } from 'node:crypto';
import { hashKey } from '../key/key-hasher.js';
import type { CallPlace } from '../mcp/tool-call.js';
import { ReadPlaces, ReadScope } from '../rollout/read-scope.js';
import type { ResolvedDeclaration } from '../rollout/tool-effects.js';
import { type CallParams, Change, type DeclaredTool, Doubts, World } from './tool-world.js';

/** Which trajectory a call is part of, as far as it says so. */
export interface RolloutName {
  readonly task: string | undefined;
  readonly id: string | undefined;
}

/** How many worlds a session tells apart, and of how many rollouts a proxy remembers that they have changed something. */
const [mostWorlds, mostDoubts] = [10_000, 100_000];

/** All that one proxy knows. */
export class Worlds {
  readonly live = new World(true);
  /** Those of sessions that are open, by rollout. */
  readonly named = new Map<string, Set<World>>();
  /** What was changed in rollouts that the servers keep apart, also after their sessions. The oldest go first. */
  readonly #doubts = new Map<string, Doubts>();

  doubtsOf(key: string): Doubts {
    const doubts = this.#doubts.get(key) ?? new Doubts();
    this.remember(key, doubts);
    return doubts;
  }

  remember(key: string, doubts: Doubts): void {
    this.#doubts.delete(key);
    this.#doubts.set(key, doubts);
    if (this.#doubts.size <= mostDoubts) return;
    // Many at once: to find the first of a map takes longer the more were deleted before it.
    for (const oldest of [...this.#doubts.keys()].slice(0, mostDoubts / 10)) this.#doubts.delete(oldest);
  }

  /** A session knows a world no more. */
  left(key: string, world: World): void {
    const others = this.named.get(key);
    if (!others?.delete(world) || others.size > 0) return;
    this.named.delete(key);
    if (world.doubts.begun === 0) this.#doubts.delete(key);
  }
}

/** What one session's calls find, and change. */
export class SessionWorlds {
  readonly #all: Worlds;
  /** Whether the server keeps a world for each rollout by itself. */
  readonly #areApart: boolean;
  readonly #nonce = randomUUID();
  readonly #named = new Map<string, World>();
  /** What was changed for any of its calls, where they all have one world. */
  readonly #doubts = new Doubts();
  /** Where results of tools are, by what they read. */
  readonly #places = new WeakMap<World, Map<string, ReadPlaces>>();

  constructor(all: Worlds, areApart: boolean) {
    this.#all = all;
    this.#areApart = areApart;
  }

  /** Where the answer to a call is to be found; `'nowhere'`: it must be asked for. `undefined`: it depends on nothing. */
  placeOf(tool: DeclaredTool, args: unknown, rollout: RolloutName): CallPlace | 'nowhere' | undefined {
    const { effect, scope, samples } = tool.declaration;
    if (effect.kind === 'pure') {
      if (samples === 1 && (scope === undefined || scope === 'global')) return undefined;
      return { key: this.#prefixOf(tool, this.#worldOf(rollout), rollout), isPast: () => false };
    }
    if (effect.kind === 'opaque' || effect.writes.length > 0) return 'nowhere';
    const world = this.#worldOf(rollout);
    world.heed();
    const place = this.#placesOf(tool, world, rollout).find(args);
    if (place === undefined) return 'nowhere';
    const resources = place.names.map((name) => world.history.resource(name));
    if (world.isUnsettledOn(resources)) return 'nowhere';
    const since = world.begun;
    return { key: place.scope.text, isPast: () => world.hasBegunOn(resources, since) };
  }

  /** A call is about to be sent that may change something: all, where no tool is given. */
  begin(rollout: RolloutName, tool?: DeclaredTool, params?: CallParams): Change {
    const own = this.#worldOf(rollout);
    const key = this.#keyOf(rollout);
    if (this.#areApart && key !== undefined) this.#all.remember(key, own.doubts);
    // What is not this rollout's own world may be the same world all the same.
    const others = new Set([
      this.#all.live,
      ...(this.#areApart ? [] : (this.#all.named.get(key ?? '') ?? [])),
    ]);
    const apart = own.isLive ? undefined : own.doubts;
    return new Change(own, others, this.#areApart ? apart : this.#doubts, tool, params);
  }

  /** The server is another process, or the same without what it knew of this session. */
  forget(): void {
    for (const world of [this.#all.live, ...this.#named.values()]) world.forget();
  }

  close(): void {
    for (const [key, world] of this.#named) this.#all.left(key, world);
    this.#named.clear();
  }

  #worldOf(rollout: RolloutName): World {
    const key = this.#keyOf(rollout);
    if (key === undefined) return this.#all.live;
    const known = this.#named.get(key);
    if (known !== undefined) return known;
    const others = this.#all.named.get(key) ?? new Set();
    const made = new World(false, this.#areApart ? this.#all.doubtsOf(key) : this.#doubts);
    if (!this.#areApart) {
      // It may be one that has begun long ago, and be changing.
      if ([...others].some(({ begun }) => begun > 0)) made.forget();
      for (const other of others) for (const change of other.unsettled) change.reaches(made);
    }
    this.#all.named.set(key, others.add(made));
    this.#named.set(key, made);
    if (this.#named.size > mostWorlds) this.#evict();
    return made;
  }

  /** `undefined`: of the world of all calls that name no task. */
  #keyOf(rollout: RolloutName): string | undefined {
    if (rollout.task === undefined) return undefined;
    return nameOf(rollout) ?? `${this.#nonce} ${rollout.task}`;
  }

  #evict(): void {
    const [oldest] = this.#named;
    if (oldest === undefined) return;
    const [key, world] = oldest;
    this.#named.delete(key);
    // It may come again, and is not as it began.
    if (world.begun > 0) world.doubts.begun ||= 1;
    this.#all.left(key, world);
  }

  #placesOf(tool: DeclaredTool, world: World, rollout: RolloutName): ReadPlaces {
    const places = this.#places.get(world) ?? new Map<string, ReadPlaces>();
    this.#places.set(world, places);
    const key = `${tool.server} ${tool.name} ${this.#sampleOf(tool, rollout) ?? ''}`;
    const known = places.get(key);
    if (known !== undefined) return known;
    const { effect } = tool.declaration;
    const reads = effect.kind === 'tracked' ? effect.reads : [];
    const prefix = this.#prefixOf(tool, world, rollout);
    const made = new ReadPlaces(reads, new ReadScope(prefix, undefined), world.history);
    places.set(key, made);
    return made;
  }

  /** What the keys of a tool's answers begin with: who shares them, and by which declarations they were found. */
  #prefixOf(tool: DeclaredTool, world: World, rollout: RolloutName): string {
    const { declaration, effects } = tool;
    const isPure = declaration.effect.kind === 'pure';
    const { scope = isPure ? 'global' : 'task' } = declaration;
    const sample = this.#sampleOf(tool, rollout) ?? null;
    return JSON.stringify([this.#sharersOf(scope, isPure, world, rollout), isPure || effects.digest, sample]);
  }

  #sharersOf(
    scope: ResolvedDeclaration['scope'] & {},
    isPure: boolean,
    world: World,
    { task, id }: RolloutName,
  ): readonly unknown[] {
    if (isPure && scope === 'global') return [scope];
    if (isPure && typeof scope === 'object') return ['tenant', scope.tenant];
    // Where no task is named, nobody has said in which state it began.
    if (task === undefined) return ['alone', scope === 'rollout' ? this.#nonce : world.nonce];
    if (typeof scope === 'object') return ['tenant', scope.tenant];
    return scope === 'rollout'
      ? [scope, task, id ?? world.nonce]
      : scope === 'task'
        ? [scope, task]
        : [scope];
  }

  /** Which of several results of a tool a rollout gets, or a session. */
  #sampleOf(
    { declaration: { samples } }: DeclaredTool,
    { id = this.#nonce }: RolloutName,
  ): number | undefined {
    if (samples === 1) return undefined;
    return Number.parseInt(hashKey('toolstash.sample', id).slice(0, 12), 16) % samples;
  }
}

/** Under which its sessions are found; `undefined`: they can't be told apart from others of its task. */
function nameOf({ task, id }: RolloutName): string | undefined {
  return task === undefined || id === undefined ? undefined : JSON.stringify([task, id]);
}
