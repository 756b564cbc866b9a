// In Jest: `import { afterAll, expect, it } from '@jest/globals'`.
import { afterAll, expect, it } from 'vitest';
import { answer, cache, tape, tools } from './support-desk.js';

const refunded: string[] = [];
const desk = tools(async ({ id }) => {
  refunded.push(id);
  return 'refunded';
});

afterAll(async () => {
  await cache.close();
  // Frameworks hand a tool's error to the model: what was refused shows here all the same.
  expect(tape.refused).toEqual([]);
});

it('answers from the order and the manual', async () => {
  expect(await answer('W1', desk)).toBe('{"id":"W1","state":"shipped"} {"page":"returns"} refunded');
  expect(refunded).toEqual(['W1']);
});

it('asks for each order', async () => {
  expect(await answer('W2', desk)).toBe('{"id":"W2","state":"shipped"} {"page":"returns"} refunded');
});
