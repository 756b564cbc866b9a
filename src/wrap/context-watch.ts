/** Notices that the context which an agent SDK gives to each call keeps a tool from ever being answered from the cache. */

import { isPlain } from '../key/tagged-form.js';

/** Fields that name one call of a tool and nothing else. */
const callIds = ['toolCallId', 'tool_call_id', 'toolUseId', 'toolUseID', 'tool_use_id'];

/** Fields that do so in an object that came with an abort signal; elsewhere they may be what is asked for. */
const contextIds = ['callId', 'call_id', 'requestId', 'request_id', 'runId', 'run_id', 'traceId', 'trace_id'];

/** Fields that hold one call of a tool, with fields that name it. */
const calls = ['toolCall', 'tool_call', 'toolUse', 'tool_use', 'toolUseBlock', 'mcpReq'];
const idsOfCalls = [...callIds, 'id', 'callId', 'call_id'];

/** Contexts hold their ids at most so many objects deep. */
const maxDepth = 3;

/** So many calls that differ in their ids alone are no chance. */
const tellingRepeats = 3;

/** So many calls that differ in one object alone, without any that was answered, are no chance either. */
const tellingCalls = 10;

/** So many different arguments are compared, whatever they hold. */
const mostCompared = 100;

/** So many calls without a key, none with one before them, are a function that has none. */
const tellingUnkeyed = 2;

/** New keys that are looked at before it is plain that nothing is to be told. */
const mostWatched = 1000;

const fix =
  'If it is the context of a call and makes no difference to the result, leave it out of the key: ' +
  "`key: (input) => input`, or name the arguments and ignore it, `params: ['input', 'context'], ignore: ['context']`.";

/** A call that was not answered from the cache. */
export interface WatchedCall {
  /** The arguments, without abort signals. */
  readonly data: readonly unknown[];
  readonly hasSignal: boolean;
  /** Whether a call of the method was ever answered without a load of its own. */
  readonly wasAnswered: () => boolean;
  /** The key of the call with other arguments. @throws UnhashableParamsError */
  keyOf(data: readonly unknown[]): string;
}

/** What is noticed of one wrapped function. It warns once, with the fix, and looks on no longer. */
export class ContextWatch {
  readonly #name: () => string;
  readonly #params: readonly string[] | undefined;
  readonly #ofIds = new Map<string, { id: unknown; repeats: number }>();
  /** The keys of calls that have all arguments but one in common, by that argument's place and the key of the others. */
  readonly #alike = new Map<string, Set<string>>();
  #compared = 0;
  #watched = 0;
  #unkeyed = 0;

  /**
   * @param name the method's name, as far as it is known when the warning is given
   * @param params the names of the arguments, where they have some
   */
  constructor(name: () => string, params: readonly string[] | undefined) {
    this.#name = name;
    this.#params = params;
  }

  /** Whether calls without a key are still of interest: none has had one. */
  get awaitsKey(): boolean {
    return this.#watched === 0;
  }

  /** A call has no key, and runs without the cache. */
  unkeyed(error: unknown): void {
    if (!this.awaitsKey || ++this.#unkeyed < tellingUnkeyed) return;
    const reason = error instanceof Error ? error.message : String(error);
    this.#warn(
      `Calls of \`${this.#name()}\` have no key and run uncached: ${reason.replace(/\.$/, '')}. ${fix}`,
    );
  }

  /** A call has a key that nobody has asked for, or whose value has gone. Never throws. */
  missed(call: WatchedCall): void {
    // What varies is looked for among further arguments: contexts come after the input.
    if (this.#watched++ >= mostWatched || call.data.length < 2) return;
    try {
      this.#lookAt(call);
    } catch {
      // The arguments tell something else each time they are read: nothing can be said of them.
    }
  }

  #lookAt(call: WatchedCall): void {
    for (let at = 1; at < call.data.length; at++) {
      const found = idIn(call.data[at], call.hasSignal);
      if (found !== undefined && this.#isVarying(call, at, found)) {
        this.#warn(
          `\`${this.#name()}\` is called with the same arguments again and again and never answered from the ` +
            `cache, because argument ${at + 1} has another \`${found.path.join('.')}\` each time. ${fix}`,
        );
        return;
      }
    }
    this.#compare(call);
  }

  /** Contexts are objects, and come after the input: what varies there may make a difference, but nobody asks for it twice. */
  #compare(call: WatchedCall): void {
    if (this.#compared >= mostCompared) return;
    for (let at = 1; at < call.data.length; at++) {
      const value = call.data[at];
      if (typeof value !== 'object' || value === null) continue;
      this.#compared++;
      const others = `${at} ${call.keyOf(call.data.with(at, undefined))}`;
      const keys = this.#alike.get(others) ?? new Set();
      this.#alike.set(others, keys.add(call.keyOf(call.data)));
      if (keys.size < tellingCalls) continue;
      if (call.wasAnswered()) this.#compared = mostCompared;
      else {
        const named = this.#params?.[at];
        this.#warn(
          `\`${this.#name()}\` was called ${keys.size} times with the same arguments but for argument ${at + 1}` +
            `${named === undefined ? '' : ` (\`${named}\`)`}, which was another each time, and never answered from the ` +
            `cache. ${fix}`,
        );
      }
      return;
    }
  }

  #isVarying(call: WatchedCall, at: number, { path, id }: ContextId): boolean {
    const another = withoutId(call.data[at] as Fields, path);
    // What the key leaves out can't keep a call from being answered.
    if (call.keyOf(call.data.with(at, another)) === call.keyOf(call.data)) return false;
    const others = call.keyOf(call.data.with(at, undefined));
    const seen = this.#ofIds.get(others);
    if (seen === undefined) this.#ofIds.set(others, { id, repeats: 1 });
    else if (seen.id !== id) {
      seen.id = id;
      return ++seen.repeats >= tellingRepeats;
    }
    return false;
  }

  #warn(message: string): void {
    this.#watched = mostWatched;
    this.#compared = mostCompared;
    this.#ofIds.clear();
    this.#alike.clear();
    process.emitWarning(message, { type: 'ToolstashWarning', code: 'TOOLSTASH_VARYING_CONTEXT' });
  }
}

interface ContextId {
  /** The fields that lead to it. */
  readonly path: readonly string[];
  readonly id: string | number;
}

type Fields = Readonly<Record<string, unknown>>;

/** The first id that names the call, the nearest to the argument itself. */
function idIn(value: unknown, hasSignal: boolean): ContextId | undefined {
  const names = hasSignal ? [...callIds, ...contextIds] : callIds;
  let level: readonly Place[] = [{ value, path: [], names }];
  for (let depth = 1; depth <= maxDepth && level.length > 0; depth++) {
    const inner: Place[] = [];
    for (const place of level) {
      if (!isFields(place.value)) continue;
      for (const name of place.names) {
        const id = place.value[name];
        if ((typeof id === 'string' || typeof id === 'number') && Object.hasOwn(place.value, name)) {
          return { path: [...place.path, name], id };
        }
      }
      for (const [name, field] of Object.entries(place.value)) {
        if (typeof field !== 'object') continue;
        const ids = calls.includes(name) ? idsOfCalls : names;
        inner.push({ value: field, path: [...place.path, name], names: ids });
      }
    }
    level = inner;
  }
  return undefined;
}

interface Place {
  readonly value: unknown;
  readonly path: readonly string[];
  /** The fields that name a call here. */
  readonly names: readonly string[];
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && isPlain(value);
}

/** The argument with nothing in place of its id. */
function withoutId(fields: Fields, [name = '', ...rest]: readonly string[]): Fields {
  return { ...fields, [name]: rest.length === 0 ? null : withoutId(fields[name] as Fields, rest) };
}
