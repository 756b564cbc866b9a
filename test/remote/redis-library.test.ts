/** What is used of the `redis` package. */

import { expect, it } from 'vitest';
import { connectClient } from '../../src/remote/redis-library.js';

it('makes no class anew for each connection, which would stop the process for as long as that takes', async () => {
  // Nobody listens there; a client is made all the same.
  const place = { host: '127.0.0.1', port: 1 };
  const made = await Promise.all(
    [2, 3, 2].map((RESP, database) => connectClient({ RESP, database, socket: place }, () => undefined)),
  );
  for (const { connected } of made) await expect(connected).rejects.toThrow('ECONNREFUSED');
  expect(new Set(made.map(({ client }) => client.constructor)).size).toBe(1);
});
