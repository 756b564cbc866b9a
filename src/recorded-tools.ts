/** What the cache needs of a recording, which answers in place of its tools: the option `recording`. */

import type { Clock } from './clock.js';
import type { EntryMetadata, TierName } from './entry.js';
import { type CacheError, InvalidOptionError, isError } from './errors.js';
import type { IgnoredPath } from './key/ignored-path.js';
import type { KeyOrigin } from './key/key-origin.js';
import { expected, oneOf } from './option-checks.js';
import type { SlowTier } from './tier.js';

/**
 * What is done with a recording.
 *
 * - `live`: nothing
 * - `record`: it takes in what tools answer
 * - `replay`: what is recorded is answered from it, and the rest runs
 * - `strict`: what is recorded is answered from it, and the rest is an error
 */
export type RecordingMode = 'live' | 'record' | 'replay' | 'strict';

/** A recording of what tools answered: what `recording({ dir })` of `toolstash/recording` makes. */
export interface Recording {
  /** What is done with it. */
  readonly mode: RecordingMode;
  /** @internal Its folder, as a cache's `persistDir`. */
  readonly dir: string;
  /** @internal Paths of params that are not kept. */
  readonly redact: readonly IgnoredPath[];
  /** @internal Opens it for one cache. Not for the mode `live`. */
  connect(wiring: RecordingWiring): RecordedTools;
}

/** What a recording is given by a cache. */
export interface RecordingWiring {
  readonly clock: Clock;
  /** Opens its files, read as if nothing in them had expired. @throws InvalidOptionError where they are not there */
  readonly files: () => SlowTier;
  /** An encoded value. Throws where it can't be read. */
  readonly decode: (encoded: Uint8Array) => unknown;
  /** Counts and emits a failure that costs no call its answer. */
  readonly onError: (error: CacheError) => void;
}

/** A call that is about to run its tool. */
export interface RecordedCall {
  readonly method: string;
  /** 32 hex digits. */
  readonly key: string;
  /** What the key was made from, as far as it is kept. */
  readonly origin: KeyOrigin | undefined;
  /** Nothing but this very call answers it. */
  readonly isExact?: boolean | undefined;
}

/** How a recording answers a call. */
export interface RecordedAnswer {
  /** The key of the recorded call, 32 hex digits: the call's own, unless it is approximate. */
  readonly key: string;
  /** Milliseconds since the answer was recorded. */
  readonly ageMs: number;
  /** `undefined`: it is this very call that was recorded. */
  readonly approximate?: Approximation;
}

/** How far a recorded call is from the one that it answers. */
export interface Approximation {
  /** As `approximate` of `toolstash/recording` measures it, from 0 (all that is kept is equal) to 1. */
  readonly distance: number;
  /** The paths of the arguments that differ, as `filter.tags.0`; `''` is the params themselves. */
  readonly paths: readonly string[];
}

/** A recorded value that answers a call. */
export interface RecordedValue {
  /** The value: a copy. */
  readonly value: unknown;
  /** How it answers. */
  readonly answer: RecordedAnswer;
  /** When it came, and what its load took. */
  readonly metadata: EntryMetadata;
}

/** A recording that is open. */
export interface RecordedTools {
  readonly mode: Exclude<RecordingMode, 'live'>;
  /**
   * What is recorded of a call, or approximates it; `undefined`: its tool is to run.
   * @throws CacheError `ERR_NOT_RECORDED` where its tool must not run
   */
  find(call: RecordedCall): Promise<RecordedValue | undefined>;
  /** Whether a call is recorded. A failure is counted, and it is not. */
  has(method: string, key: string): Promise<boolean>;
  /**
   * Hears that a call is about to run its tool past the cache, and why.
   * @throws CacheError `ERR_NOT_RECORDED` where it must not
   */
  past(method: string, reason: string): void;
  open(): Promise<void>;
  close(): Promise<void>;
}

export const recordingModes = [
  'live',
  'record',
  'replay',
  'strict',
] as const satisfies readonly RecordingMode[];

/** The variable that says the mode of all recordings of a process. */
export const modeVariable = 'TOOLSTASH_MODE';

/**
 * A recording that something is done with.
 * @throws InvalidOptionError for what is none, and where the environment asks for one that was not given
 */
export function resolveRecording(recording: Recording | false | undefined): Recording | undefined {
  if (recording === false) return undefined;
  if (recording === undefined) {
    const mode = process.env[modeVariable];
    if (mode !== undefined && mode !== '') refuseUnrecorded(oneOf(mode, modeVariable, recordingModes));
    return undefined;
  }
  if (typeof (recording as Partial<Recording> | null)?.connect !== 'function')
    throw expected(
      'recording',
      'what `recording({ dir })` of `toolstash/recording` makes, or false',
      recording,
    );
  return recording.mode === 'live' ? undefined : recording;
}

let isWarned = false;

/** The environment asks for a recording that a cache has not. */
function refuseUnrecorded(mode: RecordingMode): void {
  if (mode === 'live') return;
  const fix =
    'give `recording({ dir })` of `toolstash/recording`, or `recording: false` where calls may reach the network all the same';
  if (mode === 'strict')
    throw new InvalidOptionError(`Expected \`recording\` with ${modeVariable}=strict, got none: ${fix}`);
  if (isWarned) return;
  isWarned = true;
  process.emitWarning(`${modeVariable}=${mode} does nothing for a cache that has no recording: ${fix}`, {
    type: 'ToolstashWarning',
    code: 'TOOLSTASH_IDLE_MODE',
  });
}

/** Whether an error says that a call was not recorded. */
export function isNotRecorded(error: unknown): boolean {
  return isError(error) && 'code' in error && error.code === 'ERR_NOT_RECORDED';
}

/** Under this a cache has its recording for adapters. All builds of the package in a process have the same. */
export const recordedTools: unique symbol = Symbol.for('toolstash.recorded-tools') as never;

/** Under this a call's options say who asks. */
export const asker: unique symbol = Symbol.for('toolstash.asker') as never;

/** Who makes a call. */
export interface Asker extends Pick<KeyOrigin, 'task' | 'rollout'> {
  /** It is a write, which only what it came to itself answers. */
  readonly isExact?: boolean;
  /** Hears that a recording has answered. */
  readonly onRecorded?: (answer: RecordedAnswer) => void;
  /** Hears that a value which was there answers, before it is handed out. */
  readonly onFound?: (found: FoundAnswer) => void;
}

/** Where a value was found. */
export interface FoundAnswer {
  readonly source: TierName;
  /** Milliseconds since it was set or loaded. */
  readonly ageMs: number;
  /** Whether it is past its ttl. */
  readonly isStale: boolean;
}

/** The options of a call whose asker is known. */
export interface CallOptions {
  readonly [asker]?: Asker;
}
