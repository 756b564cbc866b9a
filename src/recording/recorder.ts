/** A recording that takes in what tools answer. */

import type { RecordedTools } from '../recorded-tools.js';
import type { ResolvedRecordingOptions } from './recording-options.js';

/** One cache's view of a recording in the mode `record`: what is stored lies in its folder, which is the cache's own. */
export class Recorder implements RecordedTools {
  readonly mode = 'record';
  readonly #isOffline: ResolvedRecordingOptions['isOffline'];
  /** Warned of, once each. */
  readonly #unrecorded = new Set<string>();

  constructor({ isOffline }: ResolvedRecordingOptions) {
    this.#isOffline = isOffline;
  }

  async open(): Promise<void> {}

  async close(): Promise<void> {}

  async find(): Promise<undefined> {
    return undefined;
  }

  async has(): Promise<false> {
    return false;
  }

  past(method: string, reason: string): void {
    if (this.#isOffline(method) || this.#unrecorded.has(method)) return;
    this.#unrecorded.add(method);
    process.emitWarning(
      `A call of \`${method}\` is not recorded (${reason}): in mode 'strict' it is refused. Cache it, or put a stand-in in ` +
        'its place and name it in `offline`',
      { type: 'ToolstashWarning', code: 'TOOLSTASH_NOT_RECORDED' },
    );
  }
}
