/** Where results of reads are: places that are remembered are those that would be made anew. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { History } from '../../src/rollout/history.js';
import { ReadPlaces, ReadScope } from '../../src/rollout/read-scope.js';
import { namesFor } from '../../src/rollout/resource-names.js';
import { ResourceTemplate, resourceOf } from '../../src/tools/resource.js';

const argument = fc.oneof(
  fc.constantFrom('a', 'A', ' a', 'a/b', 'é', '..', '', 'x'.repeat(300)),
  fc.constantFrom(1, 1.5, undefined, null, {}),
);
const input = fc.oneof(
  { weight: 9, arbitrary: fc.record({ id: argument, by: argument, in: fc.record({ id: argument }) }) },
  fc.constantFrom('text', null, undefined, 7),
);
const texts = ['cwd', 'fs:{id}', 'user:{by}', 'fs:{in.id}', 'both:{id}/{by}', 'fs:{id}/**', 'of:{id}'];
const templates = fc.uniqueArray(fc.constantFrom(...texts), { minLength: 1, maxLength: 4 });
const step = fc.oneof(
  { weight: 4, arbitrary: input.map((given) => ({ given })) },
  fc.constantFrom('fs:a', 'fs:**', 'user:a', 'cwd', 'other').map((written) => ({ written })),
);

it('finds what would be made anew, whatever was asked and written before', () => {
  let found = 0;
  fc.assert(
    fc.property(templates, fc.array(step, { maxLength: 60 }), (given, steps) => {
      const history = new History();
      const reads = given.map((text) => new ResourceTemplate(text, 'reads'));
      const places = new ReadPlaces(reads, new ReadScope('begin', undefined), history);
      for (const [at, each] of steps.entries()) {
        if ('written' in each) {
          history.append([resourceOf(each.written)], String(at).padStart(32, '0'));
          continue;
        }
        const place = places.find(each.given);
        const names = namesFor(reads, each.given);
        const scope = names?.reduce((text, name) => text + history.partFor(name), 'begin');
        expect([place?.names, place?.scope.text]).toEqual([names, scope]);
        if (place !== undefined && place === places.find(each.given)) found += 1;
      }
    }),
    { numRuns: 300 },
  );
  expect(found).toBeGreaterThan(20);
});

it('remembers a bounded number of calls', () => {
  const places = new ReadPlaces(
    [new ResourceTemplate('fs:{id}', 'reads')],
    new ReadScope('begin', undefined),
    new History(),
  );
  const first = places.find({ id: '0' });
  expect(places.find({ id: '0' })).toBe(first);
  for (let id = 1; id < 1000; id++) places.find({ id: String(id) });
  expect(places.find({ id: '0' })).not.toBe(first);
  expect(places.find({ id: '0' })).toEqual(first);
});
