/** A process that writes to a cache folder until it is killed, and tells its parent what is acknowledged. */

import { createHash } from 'node:crypto';
import { writeSync } from 'node:fs';
import { systemClock } from '../../../src/clock.js';
import { resolveDiskOptions } from '../../../src/persistence/disk-options.js';
import { DiskTier } from '../../../src/persistence/disk-tier.js';
import { StampClock } from '../../../src/stamp.js';
import { MsgpackWriter } from '../../../src/value/msgpack/writer.js';

const [folder = '', seed = '0', mode = 'honest'] = process.argv.slice(2);

let state = Number(seed) >>> 0;
const random = () => {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return state / 2 ** 32;
};
const writer = createHash('md5').update(`${seed} ${process.pid}`).digest('hex').slice(0, 16);
const stamps = new StampClock(systemClock, writer);
const tier = new DiskTier({
  options: resolveDiskOptions({ persistDir: folder, partitionBytes: 60_000, flushInterval: 3 }),
  clock: systemClock,
  writer,
  onError: (error) => tell(['error', error.message]),
  onStamp: (stamp) => stamps.observe(stamp),
});

function tell(message: unknown[]): void {
  writeSync(1, `${JSON.stringify(message)}\n`);
}

function encoded(text: string): Uint8Array {
  const bytes = new MsgpackWriter();
  bytes.string(text);
  return bytes.take();
}

await tier.open();
tell(['ready']);
for (let round = 0; ; round += 1) {
  const changes: [number, string | null][] = [];
  for (let count = 1 + Math.floor(random() * 12); count > 0; count -= 1) {
    const key = Math.floor(random() * 40);
    const isDeletion = random() < 0.15;
    changes.push([key, isDeletion ? null : `${key}:${seed}:${round}:${count}`]);
  }
  // Told before it is done: a kill in between leaves it open whether it was.
  tell(['attempt', round, changes]);
  const now = Date.now();
  const metadata = {
    createdAt: now,
    staleAt: null,
    expiresAt: null,
    accessCount: 0,
    lastAccess: now,
    loadMs: 0,
  };
  for (const [number, value] of changes) {
    const method = number % 2 === 0 ? 'even' : 'odd';
    const key = createHash('md5').update(`${method}:${number}`).digest('hex');
    if (value === null) tier.delete(key, method, stamps.next());
    else {
      const padding = createHash('sha512')
        .update(value)
        .digest('hex')
        .repeat(Math.floor(random() * 20));
      tier.write({ key, method, metadata, stamp: stamps.next(), encoded: encoded(`${value} ${padding}`) });
    }
  }
  if (random() < 0.02) {
    tell(['cleared', round]);
    tier.clear('odd', stamps.next());
  }
  const flushed = tier.flush();
  if (mode === 'hasty') tell(['acknowledged', round]);
  await flushed;
  tell(['acknowledged', round]);
}
