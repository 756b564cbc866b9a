/** Opens a folder and consolidates it, and tells the most memory that this process has had: `process.js <folder>` */

import { systemClock } from '../../../src/clock.js';
import { resolveDiskOptions } from '../../../src/persistence/disk-options.js';
import { DiskTier } from '../../../src/persistence/disk-tier.js';
import { freeAccess } from '../../../src/persistence/lock/folder-access.js';

const [persistDir = ''] = process.argv.slice(2);
const errors: string[] = [];
const tier = new DiskTier({
  options: resolveDiskOptions({ persistDir, flushOnExit: false, consolidateInterval: null }),
  clock: systemClock,
  access: freeAccess,
  onError: (error) => errors.push(error.message),
});
await tier.open();
const { readEntries, writtenEntries } = await tier.consolidate();
const { indexedKeys } = tier.counters;
await tier.close();
const megabytes = process.resourceUsage().maxRSS / 1_024;
console.log(JSON.stringify({ megabytes, readEntries, writtenEntries, indexedKeys, errors }));
