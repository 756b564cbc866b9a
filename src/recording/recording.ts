/** Recordings of what tools answer, to run a test suite or a training without them. */

import type { RecordedTools, Recording, RecordingMode, RecordingWiring } from '../recorded-tools.js';
import type { NotRecordedError } from './not-recorded-error.js';
import { Recorder } from './recorder.js';
import {
  type RecordingOptions,
  type ResolvedRecordingOptions,
  resolveRecordingOptions,
} from './recording-options.js';
import { Replay } from './replay.js';

/** A recording, and the calls that it has refused. */
export interface ToolRecording extends Recording {
  /**
   * The calls that were refused in the mode `strict`, the first 1,000. Agent frameworks hand a tool's error to the model: a
   * suite that ends with `expect(recording.refused).toEqual([])` notices it all the same.
   */
  readonly refused: readonly NotRecordedError[];
}

/**
 * A recording of what tools answer, for the option `recording` of caches: in the mode `record` what is stored is kept in
 * `dir`, with the params, whatever its ttl; in `replay` and `strict` it answers in the place of the tools.
 * @throws InvalidOptionError naming the option, its value and the fix
 *
 * @example
 * const tape = recording({ dir: 'test/recording', mode: 'strict', redact: ['**.apiKey'] });
 * const cache = await CacheManager.open({ recording: tape });
 */
export function recording(options: RecordingOptions): ToolRecording {
  return new DirectoryRecording(resolveRecordingOptions(options));
}

const mostRefused = 1_000;

class DirectoryRecording implements ToolRecording {
  readonly refused: NotRecordedError[] = [];
  readonly #options: ResolvedRecordingOptions;

  constructor(options: ResolvedRecordingOptions) {
    this.#options = options;
  }

  get mode(): RecordingMode {
    return this.#options.mode;
  }

  get dir(): string {
    return this.#options.dir;
  }

  get redact(): ResolvedRecordingOptions['redact'] {
    return this.#options.redact;
  }

  connect(wiring: RecordingWiring): RecordedTools {
    if (this.mode === 'record') return new Recorder(this.#options);
    return new Replay(this.#options, wiring, (error) => {
      if (this.refused.length < mostRefused) this.refused.push(error);
    });
  }
}
