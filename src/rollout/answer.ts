/** Where answers come from, and whether an agent asks the same again. */

import { inspect } from 'node:util';
import { hashKey, type TierName } from '../index.js';

/** The provenance of an answer. */
export interface Answer {
  /** The tool's name. */
  readonly tool: string;
  /** The key that it is shared under, 32 hex digits; `undefined` for what was not to be shared. */
  readonly key: string | undefined;
  /**
   * Where it was found: a tier; `'coalesced'`, with another call that was under way; `'tool'`, which was run and whose
   * result is kept; `'uncached'`, the tool too, but nothing is kept.
   */
  readonly source: TierName | 'coalesced' | 'tool' | 'uncached';
  /** Milliseconds since it was loaded; 0 for what was just loaded. */
  readonly ageMs: number;
  /** Whether it is past its ttl. */
  readonly isStale: boolean;
  /**
   * What it depends on, each resource with its chain: the hash of all that has happened to it in this rollout, `''` for
   * nothing. Another rollout is answered alike where it has the same.
   */
  readonly chains: Readonly<Record<string, string>>;
  /** For tools with `samples`: which one this rollout gets, from 0. */
  readonly sample: number | undefined;
  /** How often this call was made in this rollout since something was written: 1 for the first time. */
  readonly repeat: number;
}

/** Counts equal calls with nothing written in between. */
export class Repeats {
  readonly #seen = new Map<string, { count: number; written: number }>();

  /**
   * Notes a call, and tells how many there were: `written` is how many writes had begun before it, `own` how many of
   * those that begin are the call itself.
   */
  note(
    tool: string,
    input: unknown,
    { written, own }: { readonly written: number; readonly own: number },
  ): number {
    let call: string;
    try {
      call = hashKey(tool, input);
    } catch {
      // What has no key is like no other.
      return 1;
    }
    const seen = this.#seen.get(call);
    const count = seen?.written === written ? seen.count + 1 : 1;
    this.#seen.set(call, { count, written: written + own });
    return count;
  }
}

/** Calls a listener of the user's, whose failure is no failure of the call. */
export function tell(name: string, listener: ((answer: Answer) => void) | undefined, answer: Answer): void {
  try {
    listener?.(answer);
  } catch (error) {
    const detail = inspect(error, { customInspect: false });
    process.emitWarning(`\`${name}\` of a rollout failed: ${detail}`, { type: 'ToolstashWarning' });
  }
}
