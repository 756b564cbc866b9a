/** The parts of a cluster, and which of them its servers are asked about. */

import { expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { RedisSpaces } from '../../src/remote/redis-spaces.js';

it.each([
  ['one', [257]],
  ['two', [131, 126]],
  ['three', [90, 83, 84]],
])('asks each of %s servers about all its parts, one after the other', (_, sizes) => {
  const [writer, nothing] = ['a'.repeat(16), () => undefined];
  const spaces = new RedisSpaces(
    {
      ...{ prefix: 'p', database: 0, logLength: 1_000, maxMarkers: 1_000, writer, clock: systemClock },
      ...{ newestStamp: () => ({ time: 0, writer }), onChange: nothing, onWake: nothing },
      ...{ onClock: nothing, onStamp: nothing, onLostTrack: nothing },
    },
    true,
  );
  const states = spaces.channels.map((channel) => channel.replace(':0:changes', ':state'));
  const place = { epoch: 'e'.repeat(16), id: '1-1', run: 'r', doubtfulUpTo: 0 };
  const tags = states.map((state) => /\{(.*)\}/.exec(state)![1]!);
  spaces.resume({ progress: Object.fromEntries(tags.map((tag) => [tag, place])), hasOthers: false });

  // As many parts each as when they have equal numbers of slots.
  const ends = sizes.map((_, at) => sizes.slice(0, at + 1).reduce((sum, size) => sum + size, 0));
  const serverOf = (state: string) => ends.findIndex((end) => states.indexOf(state) < end);
  const asked = new Set<string>();
  for (let beat = 0; beat < Math.max(...sizes); beat += 1) {
    for (const at of sizes.keys()) asked.add(spaces.beatOf((name) => serverOf(name) === at)?.key ?? 'none');
  }
  expect([...asked].sort()).toEqual([...states].sort());
});
