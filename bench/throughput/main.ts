/** The throughput bench: `npm run bench -- [--quick] [--seed <n>] [--only <section>]`. */

import { parseArgs } from 'node:util';
import { runLine } from '../report.js';
import { seededRandom } from '../workloads.js';
import { type BenchOptions, benchCoalescing, benchHits } from './calls.js';
import { benchImports } from './imports.js';
import { benchKeys } from './keys.js';
import { benchSizes } from './sizes.js';
import { benchPolicies, benchStores } from './stores.js';
import { benchTools } from './tools.js';

const sections: Readonly<Record<string, (options: BenchOptions) => Promise<void>>> = {
  keys: benchKeys,
  calls: benchHits,
  sizes: benchSizes,
  coalescing: benchCoalescing,
  tools: benchTools,
  stores: benchStores,
  policies: benchPolicies,
  imports: benchImports,
};

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
    only: { type: 'string', multiple: true, default: Object.keys(sections) },
  },
});
const seed = Number(values.seed);
if (!Number.isSafeInteger(seed)) fail(`Expected \`--seed\` to be an integer, got \`${values.seed}\``);
for (const name of values.only) {
  if (!Object.hasOwn(sections, name)) {
    fail(`Expected \`--only\` to be one of ${Object.keys(sections).join(', ')}, got \`${name}\``);
  }
}

console.log(
  `Toolstash throughput\n${runLine(seed)}${values.quick ? '\nQuick run: smoke test, no figures to quote.' : ''}`,
);
for (const [index, name] of Object.keys(sections).entries()) {
  if (!values.only.includes(name)) continue;
  await sections[name]?.({ isQuick: values.quick, random: seededRandom(seed, index) });
}

function fail(message: string): never {
  console.error(message);
  process.exit(2);
}
