/** Opens the recording of a cache, if there is one. */

import { type Clock, inBackground } from '../clock.js';
import type { ResolvedCacheOptions } from '../options.js';
import { recordingDiskOptions } from '../persistence/disk-options.js';
import type { RecordedTools, RecordingWiring } from '../recorded-tools.js';
import type { SlowTier } from '../tier.js';
import { diskCode } from './tiers/disk-code.js';

/** @throws InvalidOptionError where it is to answer and is not there */
export function openRecording(
  { recording, clock }: ResolvedCacheOptions,
  { decode, onError }: Pick<RecordingWiring, 'decode' | 'onError'>,
): RecordedTools | undefined {
  if (recording === undefined) return undefined;
  const files = () => inBackground(() => timelessTier(recording.dir, clock, onError));
  return recording.connect({ clock, files, decode, onError });
}

/** How long a call waits for the index of a recording, in ms: it may be one of a whole training run. */
const openTimeout = 60_000;

/** Partition files that are only read, at a time at which nothing in them has expired. */
function timelessTier(dir: string, clock: Clock, onError: RecordingWiring['onError']): SlowTier {
  const { assertThere, ReadOnlyTier } = diskCode();
  assertThere('recording({ dir })', [dir]);
  const timeless: Clock = {
    now: () => 0,
    elapsed: () => clock.elapsed(),
    schedule: (...timer) => clock.schedule(...timer),
  };
  const options = { ...recordingDiskOptions(dir), openTimeout, loadCache: [dir] };
  return new ReadOnlyTier({ options, clock: timeless, onError });
}
