/** The long form, 200 rounds of it: `npm run test:sessions`. */

import { it } from 'vitest';

if (process.env['TOOLSTASH_ROUNDS'] === undefined)
  it.skip('takes minutes, in which CI has better to do', () => undefined);
else await import('./chaos.test.js');
