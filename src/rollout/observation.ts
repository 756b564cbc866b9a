/** What is found out of one call's answer for those who listen. */

import { isRepeat } from '../answers.js';
import type { Loader } from '../index.js';
import { asker, type FoundAnswer, type RecordedAnswer } from '../recorded-tools.js';
import type { Answer } from './answer.js';
import type { RolloutTool } from './rollout-call.js';

/** What is told of one call's answer. */
export type Found = Pick<Answer, 'key' | 'source' | 'ageMs' | 'isStale' | 'chains' | 'approximate'>;

/** One call that somebody wants to know the provenance of. */
export class Observation {
  #found: Found = { key: undefined, source: 'uncached', ageMs: 0, isStale: false, chains: {} };

  get found(): Found {
    return this.#found;
  }

  /** What is told of a call that has no answer. */
  get failed(): Found {
    return { ...this.#found, key: undefined, source: 'failed', ageMs: 0, isStale: false };
  }

  /** Notes what the call depends on. */
  dependsOn(chains: Answer['chains']): void {
    this.#found = { ...this.#found, chains };
  }

  /** Notes that the result of a write which ran is kept under this key. */
  isKept(key: string): void {
    this.#found = { ...this.#found, key, source: 'tool' };
  }

  /** `getOrSet`, with a note of where the value came from. */
  async find<T>(
    { method, options }: Pick<RolloutTool, 'method' | 'options'>,
    input: unknown,
    load: Loader<T>,
    {
      scope,
      signal,
      how,
    }: {
      readonly scope: string | undefined;
      readonly signal: AbortSignal | undefined;
      readonly how: 'getOrSet' | 'refresh';
    },
  ): Promise<T> {
    const keyed = scope === undefined ? {} : { scope };
    const note = (found: Partial<Found>) => {
      this.#found = { ...this.#found, ...found };
    };
    let key: string | undefined;
    try {
      key = method.key(input, keyed);
    } catch {
      // Params without a key, a cache that is closed: `getOrSet` knows what to do.
    }
    let hasRun = false;
    let isKept = true;
    const loader: Loader<T> = (context) => {
      // Nobody's answer.
      if (isRepeat(context)) return load(context);
      hasRun = true;
      // It is demoted, or the cache is closed.
      if (context.key === '') key = undefined;
      const withhold = () => {
        isKept = false;
        context.withhold();
      };
      const skip = () => {
        isKept = false;
        context.skip();
      };
      const withholdUnless = (isSound: () => boolean) =>
        context.withholdUnless?.(() => {
          isKept &&= isSound();
          return isKept;
        });
      return load({ ...contextOf(context), withhold, withholdUnless, skip });
    };
    let recorded: RecordedAnswer | undefined;
    const onRecorded = (answer: RecordedAnswer) => {
      recorded = answer;
    };
    let wasThere: FoundAnswer | undefined;
    const onFound = (found: FoundAnswer) => {
      wasThere = found;
    };
    const call = { ...options, ...keyed, [asker]: { ...options?.[asker], onRecorded, onFound } };
    const value = await method[how]<T>(input, loader, signal === undefined ? call : { ...call, signal });
    // What was there answers, also where its tool runs to renew it, or has failed.
    if (wasThere !== undefined) note({ key, ...wasThere });
    else if (recorded !== undefined) note({ key, ...foundIn(recorded) });
    else if (hasRun)
      note({ key, source: isKept && key !== undefined ? 'tool' : 'uncached', ageMs: 0, isStale: false });
    else note({ key, source: 'coalesced', ageMs: 0 });
    return value;
  }
}

function foundIn({ ageMs, approximate }: RecordedAnswer): Partial<Found> {
  const where = { ageMs, isStale: false };
  return approximate === undefined
    ? { ...where, source: 'recording' }
    : { ...where, source: 'approximate', approximate };
}

type Context = Parameters<Loader<unknown>>[0];

function contextOf(context: Context): Omit<Context, 'withhold' | 'skip'> {
  return {
    get signal() {
      return context.signal;
    },
    key: context.key,
    method: context.method,
    setTtl: context.setTtl,
  };
}
