/** A recording that answers in the place of tools. */

import { messageOf } from '../errors.js';
import { CacheError } from '../index.js';
import { callListener } from '../listener.js';
import {
  modeVariable,
  type RecordedAnswer,
  type RecordedCall,
  type RecordedTools,
  type RecordedValue,
  type RecordingWiring,
} from '../recorded-tools.js';
import type { SlowTier, TierRecord } from '../tier.js';
import { NotRecordedError } from './not-recorded-error.js';
import { type Nearest, RecordedCalls } from './recorded-calls.js';
import type { ResolvedRecordingOptions } from './recording-options.js';

/** Hears of calls that are refused. */
export type OnRefused = (error: NotRecordedError) => void;

/** One cache's view of a recording that answers: the mode `replay`, or `strict`. */
export class Replay implements RecordedTools {
  readonly mode: 'replay' | 'strict';
  readonly #options: ResolvedRecordingOptions;
  readonly #wiring: RecordingWiring;
  readonly #onRefused: OnRefused;
  readonly #tier: SlowTier;
  readonly #calls: RecordedCalls;
  readonly #isStrict: boolean;

  /** @throws InvalidOptionError where there is no recording */
  constructor(options: ResolvedRecordingOptions, wiring: RecordingWiring, onRefused: OnRefused) {
    this.#options = options;
    this.#wiring = wiring;
    this.#onRefused = onRefused;
    this.mode = options.mode === 'strict' ? 'strict' : 'replay';
    this.#isStrict = options.mode === 'strict';
    this.#tier = wiring.files();
    this.#calls = new RecordedCalls(this.#tier, wiring.decode);
  }

  open(): Promise<void> {
    return this.#tier.open();
  }

  close(): Promise<void> {
    return this.#tier.close();
  }

  async find(call: RecordedCall): Promise<RecordedValue | undefined> {
    const { method } = call;
    try {
      const found = (await this.#exact(call)) ?? (await this.#approximate(call));
      if (found !== undefined) {
        this.#tell(call, found.answer);
        return found;
      }
    } catch (cause) {
      const message = `What is recorded of \`${method}\` can't be read: ${messageOf(cause)}`;
      if (this.#isStrict) throw this.#refused(new NotRecordedError(method, message, { cause }));
      // As with any failure of a cache, the tool runs.
      this.#wiring.onError(new CacheError('ERR_STORAGE', message, { cause }));
    }
    if (!this.#isStrict || this.#options.isOffline(method)) return undefined;
    throw this.#refused(await this.#explained(call));
  }

  async has(method: string, key: string): Promise<boolean> {
    try {
      return (await this.#tier.lookup(key, method)) !== undefined;
    } catch (cause) {
      const message = `What is recorded of \`${method}\` can't be read: ${messageOf(cause)}`;
      this.#wiring.onError(new CacheError('ERR_STORAGE', message, { cause }));
      return false;
    }
  }

  past(method: string, reason: string): void {
    if (!this.#isStrict || this.#options.isOffline(method)) return;
    throw this.#refused(
      new NotRecordedError(
        method,
        `\`${method}\` would have run past the recording (${reason}), and in mode 'strict' no tool runs: cache it, or put ` +
          'a stand-in in its place and name it in `offline`',
      ),
    );
  }

  async #exact({ key, method }: RecordedCall): Promise<RecordedValue | undefined> {
    const record = await this.#tier.lookup(key, method);
    return record && this.#valueOf(record, {});
  }

  async #approximate(call: RecordedCall): Promise<RecordedValue | undefined> {
    const { approximate } = this.#options;
    if (this.#isStrict || call.isExact === true || !approximate?.has(call.method)) return undefined;
    const nearest = await this.#calls.nearest(call, true);
    if (nearest === undefined || nearest.distance > approximate.maxDistance) return undefined;
    const record = await this.#tier.lookup(nearest.key, call.method);
    const { distance, paths } = nearest;
    return record && this.#valueOf(record, { approximate: { distance, paths } });
  }

  #valueOf({ key, encoded, metadata }: TierRecord, how: Pick<RecordedAnswer, 'approximate'>): RecordedValue {
    const { clock, decode } = this.#wiring;
    const ageMs = Math.max(0, clock.now() - metadata.createdAt);
    return { value: decode(encoded), answer: { key, ageMs, ...how }, metadata };
  }

  /** A listener of the user's that fails is no failure of the call. */
  #tell({ method, key }: RecordedCall, answer: RecordedAnswer): void {
    callListener('`onAnswer` of a recording', this.#options.onAnswer, { method, key, answer });
  }

  #refused(error: NotRecordedError): NotRecordedError {
    this.#onRefused(error);
    return error;
  }

  /** Says of a call that is not recorded what is nearest to it. */
  async #explained(call: RecordedCall): Promise<NotRecordedError> {
    const { method } = call;
    const fix = `record it with ${modeVariable}=record`;
    try {
      const nearest = await this.#calls.nearest(call, false);
      if (nearest !== undefined) {
        const { key, paths, distance } = nearest;
        const message =
          `\`${method}\` is not recorded with these params, and in mode 'strict' no tool runs. The nearest recorded call is ` +
          `${key}, and differs in ${differences(nearest)}: ${fix}`;
        return new NotRecordedError(method, message, { nearest: { key, paths, distance } });
      }
      return new NotRecordedError(method, `${await this.#nothingOf(method)}: ${fix}`);
    } catch (cause) {
      const message = `\`${method}\` is not recorded with these params, and the recording can't be read for what is nearest: ${messageOf(cause)}`;
      return new NotRecordedError(method, message, { cause });
    }
  }

  async #nothingOf(method: string): Promise<string> {
    const unknown = await this.#calls.unknown(method);
    if (unknown > 0) {
      return (
        `\`${method}\` is not recorded with these params, and how its ${unknown} recorded calls differ is not known, as their ` +
        'params were not kept'
      );
    }
    const methods = (await this.#calls.methods()).slice(0, mostNamed).map((name) => `\`${name}\``);
    const others = methods.length === 0 ? 'nothing is' : `recorded are ${methods.join(', ')}`;
    return `Nothing of \`${method}\` is recorded in ${this.#options.dir} (${others}), and in mode 'strict' no tool runs`;
  }
}

const mostNamed = 5;

function differences({ paths, isOfScope, isOfVersion }: Nearest): string {
  const all = [
    ...paths.map((path) => (path === '' ? 'the params themselves' : `\`${path}\``)),
    ...(isOfScope ? [] : ['its scope']),
    ...(isOfVersion ? [] : ['its version']),
  ];
  if (all.length === 0) return 'what is redacted';
  const hidden = all.length - mostNamed;
  return hidden > 0 ? `${all.slice(0, mostNamed).join(', ')} and ${hidden} more` : all.join(', ');
}
