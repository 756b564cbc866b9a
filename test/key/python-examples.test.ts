/** The keys of the Python examples are the library's, for whatever numbers a Python program has. */

import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { hashKey } from '../../src/key/key-hasher.js';
import { runPython } from '../helper/python.js';

const params = {
  one: 1,
  zero: [0, -0],
  large: [1e16, 1e22, 2 ** 60],
  nested: { limit: [{ page: 2 }], half: 0.5, small: 1e-7 },
  other: [true, null, '1.0'],
};

/** The same as a Python program may hold it: integral numbers as floats. */
const inPython =
  '{"one": 1.0, "zero": [0.0, -0.0], "large": (1e16, 1e22, float(2**60)), ' +
  '"nested": {"limit": [{"page": 2.0}], "half": 0.5, "small": 1e-7}, "other": [True, None, "1.0"]}';

it.each(['read_cache.py', 'write_cache.py'])('%s', (file) => {
  const folder = fileURLToPath(new URL('../../examples/python/', import.meta.url));
  const script = [
    'import sys, types',
    // hash_key needs no msgpack, which not every machine has.
    'sys.modules.setdefault("msgpack", types.ModuleType("msgpack"))',
    'sys.path.insert(0, sys.argv[1])',
    `from ${file.replace('.py', '')} import hash_key`,
    `print(hash_key("tool", ${inPython}))`,
  ].join('\n');
  expect(runPython(['-c', script, folder]).trim()).toBe(hashKey('tool', params));
});
