/** A recording in a folder of its own, and a tool that counts its runs. */

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach } from 'vitest';
import { CacheManager, type CacheOptions } from '../../src/index.js';
import { type RecordingOptions, recording, type ToolRecording } from '../../src/recording/index.js';

export interface Tape {
  dir: string;
  /** A cache that records, replays, or is strict. */
  open(
    mode: RecordingOptions['mode'],
    options?: CacheOptions,
    more?: Partial<RecordingOptions>,
  ): Promise<CacheManager & { tape: ToolRecording }>;
  /** All bytes of its files, as they are and inflated. */
  bytes(): string;
}

/** A new folder for each test; what is open is closed after it. */
export function freshTape(): Tape {
  const caches: CacheManager[] = [];
  const tape: Tape = {
    dir: '',
    async open(mode, options = {}, more = {}) {
      const made = recording({ dir: tape.dir, ...(mode !== undefined && { mode }), ...more });
      const cache = await CacheManager.open({ ...options, recording: made });
      caches.push(cache);
      return Object.assign(cache, { tape: made });
    },
    bytes() {
      const files = readdirSync(tape.dir, { recursive: true, withFileTypes: true }).filter((each) =>
        each.isFile(),
      );
      return files
        .map(({ parentPath, name }) => readFileSync(join(parentPath, name)))
        .flatMap((bytes) => [bytes, bytes[0] === 0x1f ? gunzipSync(bytes) : bytes])
        .map((bytes) => bytes.toString('latin1'))
        .join('\n');
    },
  };
  beforeEach(() => {
    tape.dir = mkdtempSync(join(tmpdir(), 'toolstash-tape-'));
  });
  afterEach(async () => {
    await Promise.all(caches.splice(0).map((cache) => cache.close()));
    rmSync(tape.dir, { recursive: true, force: true });
  });
  return tape;
}

/** A tool that reaches for the network, so to say. */
export class CountedTool {
  runs = 0;

  readonly run = async (input: unknown): Promise<string> => {
    this.runs += 1;
    return `answer ${this.runs} to ${JSON.stringify(input)}`;
  };
}
