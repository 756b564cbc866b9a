/**
 * Hit rates of all policies on a folder of traces (one key a line, or gzip of that), beside Belady's optimum:
 * node bench/eviction/traces.mjs <folder>
 *
 * A `traces.md` in the folder or above it names sizes, and what LRU and the optimum must come to, in rows such as
 * "| `name.gz` | … | 256: 1.83 / 16.93; 512: 1.83 / 32.03 |". Traces without a row are simulated at 5, 10 and 25 % of their keys.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { simulate } from './simulate.mjs';

const folder = process.argv[2];
if (folder === undefined)
  throw new Error('Expected a folder of traces: node bench/eviction/traces.mjs <folder>');
const list = [join(folder, 'traces.md'), join(folder, '..', 'traces.md')].find((path) => existsSync(path));
const expectations = list === undefined ? new Map() : expectedIn(readFileSync(list, 'utf8'));

let rows = 0;
let [ofBest, ofOptimum, least] = [0, 0, 1];
let wrong = 0;
for (const name of readdirSync(folder).sort()) {
  const expected = expectations.get(name);
  const sizes = expected?.map(({ size }) => size) ?? ['5%', '10%', '25%'];
  for (const { size, optimum, rates } of simulate(join(folder, name), sizes)) {
    const { auto, ...others } = rates;
    const [best, most] = Object.entries(others).reduce((a, b) => (b[1] > a[1] ? b : a));
    const share = auto / Math.max(most, auto);
    [rows, ofBest, ofOptimum, least] = [
      rows + 1,
      ofBest + share,
      ofOptimum + auto / optimum,
      Math.min(least, share),
    ];
    const wanted = expected?.find((each) => each.size === size);
    const isRight =
      wanted === undefined || (rates.lru.toFixed(2) === wanted.lru && optimum.toFixed(2) === wanted.optimum);
    if (!isRight) wrong += 1;
    const cells = Object.entries(rates).map(([policy, rate]) => `${policy} ${rate.toFixed(2).padStart(5)}`);
    const verdict = `best other ${best}, auto ${(100 * share).toFixed(1)} % of the best, ${((100 * auto) / optimum).toFixed(1)} % of the optimum`;
    console.log(
      `${name.padEnd(16)} ${String(size).padStart(6)}  ${cells.join('  ')}  optimum ${optimum.toFixed(2)}  ${verdict}${isRight ? '' : '  WRONG'}`,
    );
  }
}
console.log(
  `${rows} rows: auto has ${((100 * ofBest) / rows).toFixed(1)} % of the best policy in the mean, at least ${(100 * least).toFixed(1)} %, and ${((100 * ofOptimum) / rows).toFixed(1)} % of the optimum. ` +
    `LRU and optimum differ from ${list ?? 'a list'} in ${wrong}. Node ${process.versions.node}.`,
);
process.exitCode = wrong > 0 ? 1 : 0;

/** The sizes of each file, with LRU and optimum in percent as written. */
function expectedIn(text) {
  const found = [...text.matchAll(/^\| `([^`]+)` \|.*$/gm)].map(([row, name]) => [
    name,
    [...row.matchAll(/(\d+): ([\d.]+) \/ ([\d.]+)/g)].map(([, size, lru, optimum]) => ({
      ...{ size: Number(size), lru, optimum },
    })),
  ]);
  return new Map(found);
}
