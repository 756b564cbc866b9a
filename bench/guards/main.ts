/** The guards' bench: `npm run bench:guards -- [--quick] [--seed <n>] [--only <section>]`. */

import { parseArgs } from 'node:util';
import { runLine } from '../report.js';
import { seededRandom } from '../workloads.js';
import { benchAvalanche } from './avalanche.js';
import { benchPipeline } from './pipeline.js';
import { benchWorth } from './worth.js';

const sections = { avalanche: benchAvalanche, pipeline: benchPipeline, worth: benchWorth };

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
  `Toolstash guards\n${runLine(seed)}${values.quick ? '\nQuick run: smoke test, no figures to quote.' : ''}`,
);
for (const [index, [name, bench]] of Object.entries(sections).entries()) {
  if (values.only.includes(name))
    await bench({ isQuick: values.quick, seed, random: seededRandom(seed, index) });
}

function fail(message: string): never {
  console.error(message);
  process.exit(2);
}
