/** What can happen to a cache, as fast-check draws it. */

import fc from 'fast-check';
import type { StoreNames } from '../../../src/index.js';
import { builtInStores } from '../../../src/store/registry.js';
import { keys } from './world.js';

export type Ending = 'value' | 'error' | 'undefined error' | 'hang' | 'skip' | 'error result' | 'nothing';

type Operation =
  | { readonly kind: 'get' | 'set' | 'delete'; readonly key: number }
  | { readonly kind: 'load'; readonly key: number; readonly ending: Ending; readonly abortable: boolean }
  | { readonly kind: 'refresh'; readonly key: number; readonly ending: Ending }
  | { readonly kind: 'invalidate'; readonly tag: number }
  | { readonly kind: 'clear'; readonly method: 'tool' | 'sliding' | undefined }
  | { readonly kind: 'advance'; readonly ms: number }
  | { readonly kind: 'flush' | 'consolidate' | 'rebuild filter' | 'save and load filter' }
  | { readonly kind: 'read files'; readonly mode: 'incremental' | 'full' };

/** An operation, and how many turns of the microtask queue it comes after the others of its step. */
export type Command = Operation & { readonly hops: number };

export const plainEndings: readonly Ending[] = [
  ...(['value', 'value', 'value', 'value', 'error', 'undefined error', 'hang', 'skip'] as const),
];
export const guardedEndings: readonly Ending[] = [
  ...plainEndings,
  ...(['error', 'error', 'error', 'hang', 'hang', 'error result', 'nothing'] as const),
];

export interface CommandKinds {
  readonly endings: readonly Ending[];
  readonly hasDisk: boolean;
  readonly hasFilter: boolean;
}

export function commandOf({ endings, hasDisk, hasFilter }: CommandKinds): fc.Arbitrary<Command> {
  // Some more often than others, so that more of them meet.
  const key = fc.constantFrom(0, 0, 0, 1, 3, 3, ...keys);
  const ending = fc.constantFrom(...endings);
  const hops = fc.nat(16);
  const one = <K extends string>(kind: K) => fc.constant(kind);
  const of = <T>(weight: number, model: { [N in keyof T]: fc.Arbitrary<T[N]> }) => ({
    weight,
    arbitrary: fc.record({ ...model, hops }) as unknown as fc.Arbitrary<Command>,
  });
  const disk = [
    of(2, { kind: one('flush') }),
    of(1, { kind: one('consolidate') }),
    of(1, { kind: one('read files'), mode: fc.constantFrom('incremental', 'full') }),
  ];
  const filter = [of(1, { kind: one('rebuild filter') }), of(1, { kind: one('save and load filter') })];
  return fc.oneof(
    of(2, { kind: one('get'), key }),
    of(2, { kind: one('set'), key }),
    of(2, { kind: one('delete'), key }),
    of(9, { kind: one('load'), key, ending, abortable: fc.boolean() }),
    of(1, { kind: one('refresh'), key, ending }),
    of(1, { kind: one('invalidate'), tag: fc.nat(1) }),
    of(1, { kind: one('clear'), method: fc.constantFrom('tool', 'sliding', undefined) }),
    of(5, { kind: one('advance'), ms: fc.constantFrom(1, 120, 300, 450, 450) }),
    ...(hasDisk ? disk : []),
    ...(hasFilter ? filter : []),
  );
}

/** How a process ends: it closes its cache, or is killed so many steps into a flush. */
export type ProcessEnd = { readonly kind: 'close' } | { readonly kind: 'kill'; readonly after: number };

/** One draw, but for the order of its steps, which is the scheduler's. */
export interface Draw {
  /** What is set before, and how long after each. */
  readonly filled: readonly { readonly key: number; readonly pause: number }[];
  /** The commands of one process after the other. */
  readonly processes: readonly { readonly commands: readonly Command[]; readonly end: ProcessEnd }[];
  /** Whether a load's tags are known before it ends. */
  readonly knowsTags: boolean;
  readonly eviction: keyof StoreNames;
  readonly isShared: boolean;
  /** For how long stale values answer, where there is such a guard. */
  readonly windows: { readonly staleWhileRevalidate: number; readonly staleIfError: number };
  /** What the cache gets for random numbers: one for all, so that jitter can be foretold. */
  readonly random: number;
  /** Decides whether the steps of a file come before or after its effect, and which steps come in one turn. */
  readonly pace: number;
}

export function drawOf(kinds: CommandKinds): fc.Arbitrary<Draw> {
  const commands = (minLength: number, maxLength: number) =>
    fc.array(commandOf(kinds), { minLength, maxLength });
  const end = fc.oneof(
    fc.constant<ProcessEnd>({ kind: 'close' }),
    fc.record({ kind: fc.constant('kill' as const), after: fc.nat(12) }),
  );
  const processes = kinds.hasDisk
    ? fc.tuple(
        fc.record({ commands: commands(4, 18), end }),
        fc.record({ commands: commands(2, 12), end: fc.constant<ProcessEnd>({ kind: 'close' }) }),
      )
    : fc.tuple(fc.record({ commands: commands(4, 24), end: fc.constant<ProcessEnd>({ kind: 'close' }) }));
  const filled = fc.tuple(
    ...[4, 2, 0, 1].map((key) =>
      fc.record({ key: fc.constant(key), pause: fc.constantFrom(0, 120, 300, 450) }),
    ),
  );
  return fc.record({
    filled,
    processes,
    knowsTags: fc.boolean(),
    eviction: fc.constantFrom(...builtInStores),
    isShared: fc.boolean(),
    windows: fc.constantFrom(
      { staleWhileRevalidate: 300, staleIfError: 600 },
      { staleWhileRevalidate: 0, staleIfError: 900 },
      { staleWhileRevalidate: 600, staleIfError: 0 },
    ),
    random: fc.constantFrom(0, 0.25, 0.5, 0.75),
    pace: fc.nat(),
  });
}
