/** `toolstash simulate`, in this process and as it is built. */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { builtInStores } from '../../../src/store/registry.js';
import { root } from '../built-command-line.js';
import { type CommandLine, openCommandLine } from '../open-command-line.js';

let commandLine: CommandLine;
beforeAll(async () => {
  commandLine = await openCommandLine();
});
afterAll(() => commandLine.remove());

const example = join(root, 'examples/simulate/searches.csv');

describe('toolstash simulate', () => {
  test('tells for each size what each policy and the optimum come to, and what to take', async () => {
    const { exitCode, stdout, stderr } = await commandLine.run(['simulate', example]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    for (const title of ['Hit rate', 'Byte hit rate', 'Time saved'])
      expect(stdout).toMatch(
        new RegExp(
          `^ {2}${title} .*\\n${builtInStores.map((name) => ` {2}${name} .*\\n`).join('')} {2}at most `,
          'm',
        ),
      );
    expect(stdout).toMatch(/^ {2}Take \{ eviction: '\w+', maxSize: \d+, maxBytes: \d+ \}\.$/m);
  });

  test('prints JSON', async () => {
    await writeFile(join(commandLine.folder, 'some.keys'), [...'abacabad'].join('\n'));
    const args = ['simulate', 'some.keys', '--sizes', '2,100%', '--policies', 'fifo,lru', '--json'];
    const { stdout } = await commandLine.run(args);
    const optimum = (hitRate: number) => ({ hitRate, byteHitRate: hitRate, isExact: true });
    expect(JSON.parse(stdout)).toEqual({
      trace: {
        ...{ name: 'some.keys', lookups: 8, keys: 4, footprint: 4, lookedUpBytes: 8, costMs: 0 },
        ...{ hasSizes: false, hasCosts: false },
      },
      sizes: [
        {
          maxSize: 2,
          // a is kept all along, which is 3 hits.
          optimum: optimum(3 / 8),
          policies: [
            // a b in, a hit, c for a, a for b, b for c, a hit, d for a.
            { eviction: 'fifo', hits: 2, hitRate: 2 / 8, byteHitRate: 2 / 8, evicted: 4, mostEntries: 2 },
            { eviction: 'lru', hits: 3, hitRate: 3 / 8, byteHitRate: 3 / 8, evicted: 3, mostEntries: 2 },
          ],
        },
        {
          maxSize: 4,
          optimum: optimum(4 / 8),
          policies: ['fifo', 'lru'].map((eviction) => ({
            ...{ eviction, hits: 4, hitRate: 4 / 8, byteHitRate: 4 / 8, evicted: 0, mostEntries: 4 },
          })),
        },
      ],
      recommendation: { eviction: 'lru', maxSize: 4 },
      notes: expect.any(Array),
    });
  });

  test('tells for each size as what auto evicts in the end, and why', async () => {
    const loop = Array.from({ length: 600 }, (_, at) => `key ${at % 150}`);
    await writeFile(join(commandLine.folder, 'loop.keys'), loop.join('\n'));
    const args = ['simulate', 'loop.keys', '--sizes', '100,100%', '--policies', 'lru,auto'];
    const { stdout } = await commandLine.run(args);
    expect(stdout.replace(/\s+/g, ' ')).toMatch(
      /auto was in the end 100 w-tinylfu with a window of 1 %: of the last \d+ lookups of sampled keys, lru 0 %, w-tinylfu .* would be answered 150 lru: nothing had to leave yet Take/,
    );
    const { sizes } = JSON.parse((await commandLine.run([...args, '--json'])).stdout);
    expect(sizes[0].policies.map(({ policy }: { policy?: string }) => policy)).toEqual([
      undefined,
      expect.stringContaining('w-tinylfu with a window of 1 %: of the last'),
    ]);
  });

  test('fits narrow terminals and pipes', async () => {
    const { stdout } = await commandLine.run(['simulate', example]);
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  test.each([
    [['absent.jsonl'], /^toolstash: Can't read absent\.jsonl: there is no such file/],
    [[example, '--policies', 'arc'], /^toolstash: Expected --policies to be lru, .*, got `arc`/],
    [[example, '--sizes', '200%'], /^toolstash: Expected --sizes/],
    [[example, '--threads', '0'], /^toolstash: Expected --threads/],
    [[], /^toolstash: missing required argument 'trace'/],
  ])('says what is wrong with %j', async (args, complaint) => {
    const { exitCode, stderr } = await commandLine.run(['simulate', ...args]);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(complaint);
  });
});
