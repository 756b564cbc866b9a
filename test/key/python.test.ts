/** Keys against Python's: golden vectors that Python made once, and random values that it is asked about now. */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../../src/key/canonical-json.js';
import { hashKey } from '../../src/key/key-hasher.js';
import { inForm } from '../helper/form.js';
import { runPython } from '../helper/python.js';
import { jsonValue } from './arbitrary.js';
import { decodeWire, encodeWire, holdsInteger, type Wire } from './wire.js';

interface GoldenValue {
  readonly name: string;
  readonly value: Wire;
  readonly text: string;
}

interface GoldenCall {
  readonly method: string;
  readonly params: Wire;
  readonly scope?: Wire;
  readonly version?: Wire;
  readonly ignore?: readonly (readonly string[])[];
  readonly key: string;
}

const here = (file: string) => fileURLToPath(new URL(file, import.meta.url));

const golden = readFileSync(here('golden.jsonl'), 'utf8')
  .trim()
  .split('\n')
  .map((line): GoldenValue | GoldenCall => JSON.parse(line));
const values = golden.filter((vector): vector is GoldenValue => 'name' in vector);
const calls = golden.filter((vector): vector is GoldenCall => 'key' in vector);

describe('canonical JSON', () => {
  it.each(values)('prints $name as Python did', ({ value, text }) => {
    expect(canonicalJson(decodeWire(value))).toBe(text);
  });

  it.each(values)('tells integers of $name as BigInts from the numbers they equal', ({ value, text }) => {
    const wire = JSON.stringify(value);
    const isHeld = [...wire.matchAll(/"int":"(-?\d+)"/g)].some(([, digits]) =>
      holdsInteger(digits as string),
    );
    expect(canonicalJson(decodeWire(value, 'bigint')) === text).toBe(!isHeld);
  });
});

describe('keys', () => {
  it('differ from call to call of the golden vectors', () => {
    expect(calls.length).toBeGreaterThan(15);
    expect(new Set(calls.map(({ key }) => key)).size).toBe(calls.length);
  });

  it.each(calls)('of $method, scope $scope, version $version, ignoring $ignore are as in Python', (call) => {
    const options = {
      ...('scope' in call ? { scope: decodeWire(call.scope as Wire) } : {}),
      ...('version' in call ? { version: decodeWire(call.version as Wire) as string | number } : {}),
      ...(call.ignore === undefined ? {} : { ignore: call.ignore }),
    };
    expect(hashKey(call.method, decodeWire(call.params), options)).toBe(call.key);
  });

  const samples = inForm({ short: 3_000, long: 20_000 });

  it(`are the live interpreter's for ${samples} random values`, () => {
    const seed = 20_261_121;
    const sample = fc.sample(jsonValue, { numRuns: samples, seed });
    sample.push(...[100, 500].map(nested));
    const input = sample.map((value) => JSON.stringify(encodeWire(value))).join('\n');
    const answers = runPython([here('python_key.py')], { input })
      .trimEnd()
      .split('\n');
    expect(answers).toHaveLength(sample.length);
    for (const [i, value] of sample.entries()) {
      const [text, key] = JSON.parse(answers[i] as string) as [string, string];
      expect(canonicalJson(value), `value ${i} of seed ${seed}`).toBe(text);
      expect(hashKey('tool', value), `value ${i} of seed ${seed}`).toBe(key);
    }
  });
});

function nested(depth: number): unknown {
  let value: unknown = { leaf: 0.1 };
  for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [value, i] : { [`k${i}`]: value, a: null };
  return value;
}
