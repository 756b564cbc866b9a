/** What recordings compile to. Checked by the compiler alone. */

import { expectTypeOf } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { type NotRecordedError, type RecordingMode, recording } from '../../src/recording/index.js';

const tape = recording({
  dir: 'tape',
  redact: ['token', ['headers', '*']],
  offline: ['now'],
  approximate: { tools: ['search'], maxDistance: 0.3 },
  onAnswer: ({ method, answer }) =>
    expectTypeOf(answer.approximate?.paths[0] ?? method).toEqualTypeOf<string>(),
});
expectTypeOf(tape.mode).toEqualTypeOf<RecordingMode>();
expectTypeOf(tape.refused).toEqualTypeOf<readonly NotRecordedError[]>();
// @ts-expect-error a folder is needed
recording({ mode: 'strict' });
// @ts-expect-error no such mode
recording({ dir: 'tape', mode: 'play' });

const cache = new CacheManager({ recording: tape });
new CacheManager({ recording: false });
// @ts-expect-error what `recording` makes, not its options
new CacheManager({ recording: { dir: 'tape' } });
void cache.lookup<string[]>('search', {}).then((found) => {
  if (found.outcome === 'miss')
    expectTypeOf(found.approximate?.answer.ageMs).toEqualTypeOf<number | undefined>();
});
