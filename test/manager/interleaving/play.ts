/** Plays one draw: a cache, or one process's after another's, under commands whose every await the scheduler orders. */

import type fc from 'fast-check';
import { jitteredTtl, parseJitter } from '../../../src/guard/jitter.js';
import { BloomFilter, CacheManager, type CacheOptions } from '../../../src/index.js';
import { resolveDiskOptions } from '../../../src/persistence/disk-options.js';
import { DiskTier } from '../../../src/persistence/disk-tier.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { seededRandom } from '../../guard/seeded-random.js';
import { FaultyFileSystem } from '../../helper/faulty-file-system.js';
import { MapTier } from '../../helper/map-tier.js';
import type { Command, Draw, Ending, ProcessEnd } from './commands.js';
import { SteppedFiles } from './stepped-files.js';
import { pool } from './stepped-zlib.js';
import { type Answer, keys, limitsOf, methodOf, type Tally, ToolError, tagOf, World } from './world.js';

/** Which cache is drawn upon. */
export interface Setting {
  readonly below: 'nothing' | 'a map' | 'the disk';
  readonly options: CacheOptions;
  readonly hasFilter: boolean;
}

export const ttl = 400;
const maxBytes = 10_000;

/** Plays a draw and tells what was wrong. */
export async function play(
  scheduler: fc.Scheduler,
  draw: Draw,
  setting: Setting,
  tally: Tally,
): Promise<string[]> {
  return new Play(scheduler, draw, setting, tally).run();
}

class Play {
  readonly #scheduler: fc.Scheduler;
  readonly #draw: Draw;
  readonly #setting: Setting;
  readonly #options: CacheOptions;
  readonly #clock = new FakeClock();
  readonly #world: World;
  readonly #coin: () => boolean;
  readonly #disk = new FaultyFileSystem();
  readonly #map = new MapTier();
  readonly #keyOf = new Map<string, number>();
  #filter = new BloomFilter({ capacity: 50, falsePositiveRate: 0.001 });
  #files: SteppedFiles | undefined;
  #tier: DiskTier | undefined;
  #cache!: CacheManager;
  #watched = 0;
  #stuckReads = 0;

  constructor(scheduler: fc.Scheduler, draw: Draw, setting: Setting, tally: Tally) {
    this.#scheduler = scheduler;
    this.#draw = draw;
    this.#setting = setting;
    const isGuarded = setting.options.staleIfError !== undefined;
    this.#options = { ...setting.options, ...(isGuarded && draw.windows) };
    this.#world = new World(this.#clock, limitsOf(this.#options), tally);
    const random = seededRandom(draw.pace);
    this.#coin = () => random() < 0.5;
    pool.step = (call) => this.#step(call);
    this.#disk.now = () => this.#clock.now();
    this.#map.beforeAnswer = () => this.#step('read below');
  }

  async run(): Promise<string[]> {
    const { problems } = this.#world;
    this.#startProcess();
    for (const key of keys) {
      // Key 3 is not there as far as the filter knows.
      if (key === 3) continue;
      this.#filter.add(this.#hash(key));
      this.#world.known.add(key);
      this.#world.existing.add(key);
    }
    await this.#drain(this.#fill());
    for (const [number, { commands, end }] of this.#draw.processes.entries()) {
      if (number > 0) this.#startProcess();
      await this.#runCommands(commands);
      await this.#audit('afterwards');
      await this.#endProcess(end);
      if (problems.length > 0) return problems;
    }
    if (this.#setting.below === 'the disk') {
      this.#startProcess();
      await this.#audit('the next process');
      await this.#drain(this.#tier!.consolidate());
      await this.#audit('consolidation');
      await this.#endProcess({ kind: 'close' });
    }
    return problems;
  }

  #startProcess(): void {
    this.#stuckReads = 0;
    // A process that has not read the folder yet relies on a clock that was not set back.
    this.#clock.advance(1);
    const { below, hasFilter } = this.#setting;
    const { eviction, random, isShared } = this.#draw;
    const base = { clock: this.#clock, eviction, random: () => random, ttl, maxBytes };
    const tags = (value: unknown) => [tagOf((value as Answer).key)];
    const known = {
      size: 5,
      capacity: 50,
      add: (key: string) => this.#filter.add(key),
      mayHave: (key: string) => this.#filter.mayHave(key),
    };
    const all = {
      ...base,
      ...this.#options,
      tags,
      maxSize: this.#maxSize,
      ...(hasFilter && { knownKeys: known }),
    };
    this.#cache = new CacheManager(all, (wiring) => {
      if (below === 'nothing') return [];
      if (below === 'a map') return [this.#map];
      const disk = resolveDiskOptions({
        ...{ persistDir: '/cache', flushInterval: 150, partitionBytes: 1500, closeAfter: 600 },
        ...{ openTimeout: '1d', consolidateInterval: null, flushOnExit: false },
        ...(isShared && { mode: 'multi', syncInterval: 300 }),
      });
      this.#files = new SteppedFiles(this.#disk, (call) => this.#step(call), this.#coin);
      this.#tier = new DiskTier({ options: disk, files: this.#files, ...wiring });
      return [this.#tier];
    });
    for (const key of keys) this.#keyOf.set(this.#hash(key), key);
    this.#world.hear(this.#cache, this.#keyOf);
    this.#cache.on('error', ({ error }) => {
      // A read that is held up for longer than a load may take is the one failure there can be.
      if (error.message.startsWith('A slower tier took too long')) this.#stuckReads++;
      else this.#world.problems.push(`${error.message} (${error.cause})`);
    });
  }

  /** Sets what is there before the first command, some of it stale by then. */
  async #fill(): Promise<void> {
    for (const { key, pause } of this.#draw.filled) {
      await this.#set(key);
      await this.#clock.advanceAsync(pause);
    }
  }

  async #endProcess(end: ProcessEnd): Promise<void> {
    const { world, cache } = { world: this.#world, cache: this.#cache };
    if (this.#setting.below !== 'the disk' || end.kind === 'close') {
      const flushed = world.flushing();
      await this.#drain(cache.close());
      flushed();
      world.restarted();
      world.tally.restarts++;
    } else {
      void cache.flush();
      for (let step = 0; step < end.after; step++) {
        await turn();
        if (this.#scheduler.count() > 0) await this.#scheduler.waitOne();
      }
      this.#files!.kill();
      await this.#drain(Promise.resolve());
      // What a process was loading when it was killed its id tells others; here all have the same.
      for (const path of this.#disk.paths()) if (path.includes('/.flights/')) await this.#disk.unlink(path);
      world.killed();
      world.tally.kills++;
    }
    this.#filter = BloomFilter.fromBytes(this.#filter.toBytes());
  }

  #advanced: Promise<void> = Promise.resolve();

  async #runCommands(commands: readonly Command[]): Promise<void> {
    const callers = commands.map(async (command, at) => {
      await this.#step(`${at}: ${JSON.stringify(command)}`);
      for (let hop = 0; hop < command.hops; hop++) await null;
      await this.#perform(command);
    });
    let settled = 0;
    for (const caller of callers) void caller.then(() => settled++);
    await this.#drain(Promise.all(callers));
    const { problems } = this.#world;
    if (settled !== callers.length) problems.push(`${callers.length - settled} callers never settled`);
    this.#world.settle();
    const { cacheErrors, running, queued } = this.#cache.stats();
    if (cacheErrors > this.#stuckReads) problems.push(`${cacheErrors} cache errors`);
    if (running + queued > 0) problems.push('a turn was never given back');
  }

  async #perform(command: Command): Promise<void> {
    const { world, cache } = { world: this.#world, cache: this.#cache };
    switch (command.kind) {
      case 'advance':
        // One after another: else time moves on while callers are still being told what a timer has ended.
        this.#advanced = this.#advanced.then(() => this.#clock.advanceAsync(command.ms));
        await this.#advanced;
        return world.checkBounds();
      case 'clear': {
        const { method } = command;
        for (const key of keys) {
          if (method !== undefined && methodOf(key) !== method) continue;
          world.write(key);
          world.supersede(key);
        }
        return cache.clear(method);
      }
      case 'invalidate':
        for (const key of keys) if (tagOf(key) === tagOf(command.tag)) world.write(key);
        // Where a load's tags are not known yet, whoever comes now must not join any.
        world.supersede();
        return cache.invalidateTags([tagOf(command.tag)]);
      case 'get':
        return this.#get(command.key, 'get');
      case 'set':
        return this.#set(command.key);
      case 'delete':
        world.write(command.key);
        world.supersede(command.key);
        await cache.delete(methodOf(command.key), { key: command.key });
        return;
      case 'load':
      case 'refresh':
        return this.#load(command);
      case 'flush': {
        const flushed = world.flushing();
        await cache.flush();
        flushed();
        world.tally.flushes++;
        return;
      }
      case 'consolidate':
        await this.#tier!.consolidate();
        world.tally.consolidations++;
        return;
      case 'read files':
        await this.#tier!.load({ mode: command.mode });
        world.tally.loads++;
        return;
      case 'rebuild filter':
        return this.#filter.rebuild(this.#source());
      case 'save and load filter':
        this.#filter = BloomFilter.fromBytes(this.#filter.toBytes());
    }
  }

  async #set(key: number): Promise<void> {
    const world = this.#world;
    world.write(key);
    world.supersede(key);
    world.known.add(key);
    world.existing.add(key);
    await this.#cache.set(methodOf(key), { key }, this.#answer(key, world.version(key), 'value'));
  }

  async #get(key: number, what: string): Promise<void> {
    const oldest = this.#world.oldest(key);
    const found = await this.#cache.lookup(methodOf(key), { key });
    if (found.outcome === 'error') this.#world.problems.push(`${what} met an error where nothing fails`);
    if ('value' in found) this.#world.check(found.value, { key, oldest, isKnown: true, what });
  }

  async #load(command: Extract<Command, { kind: 'load' | 'refresh' }>): Promise<void> {
    const { world, cache } = { world: this.#world, cache: this.#cache };
    const { key, kind, ending } = command;
    const what = kind === 'refresh' ? 'refresh' : 'getOrSet';
    const isKnown = !this.#setting.hasFilter || kind === 'refresh' || world.known.has(key);
    const asked = { key, isKnown, what, oldest: world.oldest(key), at: this.#clock.now() };
    const controller = new AbortController();
    const isAbortable = command.kind === 'load' && command.abortable;
    if (isAbortable) void this.#step(`abort ${key}`).then(() => controller.abort('gone'));
    const call = {
      ...(isAbortable && { signal: controller.signal }),
      ...(this.#draw.knowsTags && { tags: [tagOf(key)] }),
    };
    if (kind === 'refresh') world.supersede(key);
    const ask = kind === 'refresh' ? cache.refresh.bind(cache) : cache.getOrSet.bind(cache);
    const loader = this.#loader(key, ending, kind === 'refresh');
    try {
      world.check(await ask(methodOf(key), { key }, loader, call), asked);
    } catch (error) {
      world.checkError(error, asked);
    }
    const waited = this.#clock.now() - asked.at;
    if (waited > Number(this.#options.hardTimeout || Infinity))
      world.problems.push(`${what} of key ${key} took ${waited} ms`);
  }

  #loader(key: number, ending: Ending, isRefresh: boolean) {
    const world = this.#world;
    return async ({ signal, skip }: { signal: AbortSignal; skip(): void }): Promise<Answer> => {
      const version = world.version(key);
      const isDenied = this.#setting.hasFilter && !this.#filter.mayHave(this.#hash(key));
      if (!world.renewed.delete(key) && !isRefresh && isDenied)
        world.problems.push(`the tool was called for key ${key}, which is not there`);
      const { hardTimeout } = this.#options;
      const token = world.begin(
        key,
        hardTimeout ? { signal, until: this.#clock.now() + Number(hardTimeout) } : undefined,
      );
      // An aborted load may be followed by another while its loader winds up.
      signal.addEventListener('abort', () => world.end(key, token), { once: true });
      try {
        await this.#step(`load ${key}, first step`);
        if (ending === 'hang') await new Promise<void>((resolve) => world.releases.push(resolve));
        await this.#step(`load ${key}, second step`);
        if (ending === 'error') throw new ToolError(version, this.#clock.now());
        if (ending === 'undefined error') throw undefined;
        if (ending === 'skip') skip();
        const is = ending === 'error result' || ending === 'nothing' ? ending : 'value';
        if (is === 'value') world.existing.add(key);
        return this.#answer(key, version, is);
      } finally {
        world.end(key, token);
      }
    };
  }

  #answer(key: number, version: number, is: Answer['is']): Answer {
    const { negativeTtl, jitter, methods } = this.#setting.options;
    const isShort = is === 'nothing' && negativeTtl !== undefined;
    const longest = methods?.[methodOf(key)]?.maxAge ?? ttl;
    const freshFor = jitteredTtl({
      ttlMs: Number(isShort ? negativeTtl : longest),
      jitter: parseJitter(jitter || 0, 'jitter'),
      random: () => this.#draw.random,
    });
    return { key, version, is, freshFor, madeAt: this.#clock.now() };
  }

  /** The keys that exist, as a slow source lists them. */
  async *#source(): AsyncGenerator<string> {
    for (const key of keys) {
      await this.#step('list the source');
      if (this.#world.existing.has(key)) yield this.#hash(key);
    }
  }

  /** What a call that comes now gets of every key. */
  async #audit(what: string): Promise<void> {
    await this.#drain(Promise.all(keys.map((key) => this.#get(key, what))));
    this.#world.settle();
  }

  #hash(key: number): string {
    return this.#cache.key(methodOf(key), { key });
  }

  #step(label: string): Promise<void> {
    return this.#scheduler.schedule(Promise.resolve(), label);
  }

  /** Takes one step after another until there are none left. */
  async #drain(task: Promise<unknown>): Promise<void> {
    let isDone = false;
    const done = () => {
      isDone = true;
    };
    task.then(done, done);
    const { releases, problems } = this.#world;
    // Timers that follow one another take turns, too.
    for (let idle = 0; idle < (isDone ? 3 : 100); ) {
      if (this.#scheduler.count() > 0) {
        await this.#scheduler.waitOne();
        // Else the next step comes in the same turn, among the microtasks of this one.
        if (this.#coin()) await turn();
        idle = 0;
      } else {
        await turn();
        if (this.#scheduler.count() === 0 && releases.length > 0) for (const go of releases.splice(0)) go();
        else if (this.#scheduler.count() === 0) idle++;
      }
      this.#watch();
    }
    if (!isDone) problems.push('what was waited for never came');
    else await task;
  }

  #watch(): void {
    this.#watched += 1;
    // It costs more than the step that it looks at.
    if (this.#watched % 4 !== 0) return;
    const { entries, bytes, running } = this.#cache.stats();
    const isWithin = entries <= this.#maxSize && bytes <= maxBytes && running <= 4;
    if (!isWithin)
      this.#world.problems.push(`bounds: ${entries} entries, ${bytes} bytes, ${running} running`);
  }

  /** With a tier below, so few that most reads go there. */
  get #maxSize(): number {
    return this.#setting.below === 'nothing' ? 3 : 2;
  }
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
