/** The stores there are, by name, and how one is made from a name or a factory. */

import { notPromised } from '../at-once.js';
import { InvalidOptionError } from '../errors.js';
import { evaluationCalling, isEvaluatedAgain, type ModuleEvaluation } from '../module-evaluation.js';
import { nearestName } from '../near-name.js';
import { shown } from '../option-checks.js';
import { auto } from './auto.js';
import { fifo } from './fifo.js';
import { gdsf } from './gdsf.js';
import { lfu } from './lfu.js';
import { lru } from './lru.js';
import { s3Fifo } from './s3-fifo.js';
import { sieve } from './sieve.js';
import type { Store, StoreEntry, StoreFactory, StoreOptions } from './store.js';
import type { BuiltInStoreName } from './store-names.js';
import { ttl } from './ttl.js';
import { wTinyLfu } from './w-tinylfu.js';

/** The most entries one store can hold: the limit of V8's Map. */
export const largestMaxSize = 2 ** 24;

const builtIns = {
  lru,
  lfu,
  fifo,
  ttl,
  gdsf,
  sieve,
  's3-fifo': s3Fifo,
  'w-tinylfu': wTinyLfu,
  auto,
} satisfies Record<BuiltInStoreName, StoreFactory>;

/** The stores that come with Toolstash. */
export const builtInStores = Object.keys(builtIns) as BuiltInStoreName[];

const factories = new Map<string, StoreFactory>(Object.entries(builtIns));
/** Where the registered ones come from. */
const origins = new Map<string, ModuleEvaluation | undefined>();

const storeMethods = ['get', 'peek', 'has', 'set', 'delete', 'clear', 'entries'] as const;
const storeCounts = ['size', 'bytes'] as const;

/** The names that `eviction` takes: the built-in stores and the registered ones. */
export function storeNames(): string[] {
  return [...factories.keys()];
}

/**
 * Gives a store of your own a name that `eviction` takes, for this process and this build (ESM and CJS have a
 * registry each). A name can be taken again by the same factory, and by that of a module which is evaluated again.
 *
 * @example
 * registerStore('random', (options) => new RandomStore(options));
 * const cache = new CacheManager({ eviction: 'random' });
 */
export function registerStore(name: string, factory: StoreFactory): void {
  if (typeof name !== 'string' || name === '') {
    throw new InvalidOptionError(`Expected a store's name to be a non-empty string, got ${shown(name)}`);
  }
  if (typeof factory !== 'function') {
    throw new InvalidOptionError(
      `Expected the factory of the store \`${name}\` to be a function, got ${shown(factory)}`,
    );
  }
  const from = evaluationCalling(registerStore);
  const isTaken = (factories.get(name) ?? factory) !== factory;
  if (isTaken && !isEvaluatedAgain(origins.get(name), from)) {
    throw new InvalidOptionError(
      `A store named \`${name}\` is registered already: choose another name. Where a module is evaluated again (hot ` +
        'reloading), give the factory itself as `eviction`',
    );
  }
  factories.set(name, factory);
  origins.set(name, from);
}

/** Makes a store by its registered name or through a factory. Throws `InvalidOptionError` on what can't work. */
export function createStore<E extends StoreEntry>(
  eviction: string | StoreFactory,
  options: StoreOptions<E>,
): Store<E> {
  checkMaxSize(options.maxSize);
  checkMaxBytes(options.maxBytes);
  return checkStore(notPromised(findFactory(eviction)(options), 'eviction(options)'));
}

function findFactory(eviction: string | StoreFactory): StoreFactory {
  if (typeof eviction === 'function') return eviction;
  const factory = factories.get(eviction);
  if (factory) return factory;
  const nearest = typeof eviction === 'string' ? nearestName(eviction, storeNames()) : undefined;
  throw new InvalidOptionError(
    `Expected \`eviction\` to be ${storeNames()
      .map((name) => `'${name}'`)
      .join(
        ', ',
      )} or a store factory, got ${shown(eviction)}${nearest === undefined ? '' : `: did you mean '${nearest}'?`}. ` +
      'Name your own store with `registerStore(name, factory)` or pass its factory.',
  );
}

function checkMaxSize(maxSize: number): void {
  if (!isPositiveInteger(maxSize)) {
    throw new InvalidOptionError(`Expected \`maxSize\` to be a positive integer, got ${shown(maxSize)}`);
  }
  if (maxSize > largestMaxSize) {
    throw new InvalidOptionError(
      `Expected \`maxSize\` to be at most ${largestMaxSize} (2^24, the most entries that a Map of V8 holds), ` +
        `got \`${maxSize}\`. Spread more entries over several caches, each with a part of the keys or methods.`,
    );
  }
}

function checkMaxBytes(maxBytes: number): void {
  if (!isPositiveInteger(maxBytes)) {
    throw new InvalidOptionError(
      `Expected \`maxBytes\` to be a positive integer, got ${shown(maxBytes)}. ` +
        'For no bound but `maxSize`, use `Number.MAX_SAFE_INTEGER`.',
    );
  }
}

function isPositiveInteger(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

function checkStore<E extends StoreEntry>(store: Store<E>): Store<E> {
  if (typeof store !== 'object' || store === null) {
    throw new InvalidOptionError(`Expected the store factory to return a store, got ${shown(store)}`);
  }
  const lacking = [
    ...storeMethods.filter((name) => typeof store[name] !== 'function').map((name) => `${name}()`),
    ...storeCounts.filter((name) => typeof store[name] !== 'number'),
  ];
  if (lacking.length === 0) return store;
  throw new InvalidOptionError(
    `Expected the store factory to return a store, got one without ${lacking
      .map((name) => `\`${name}\``)
      .join(', ')}. See the \`Store\` interface; \`storeContract\` of toolstash/testing checks all of it.`,
  );
}
