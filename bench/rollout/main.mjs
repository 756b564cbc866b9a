/** A hit through a rollout, beside one of a wrapped function. `npm run build && node bench/rollout/main.mjs` */

import { cpus } from 'node:os';
import { CacheManager } from '../../dist/index.js';
import { Rollout } from '../../dist/rollout.js';

const rounds = 31;
const calls = 20_000;
const inputs = Array.from({ length: 100 }, (_, id) => ({
  path: `src/${id}.ts`,
  user: `u${id % 10}`,
  limit: 10,
}));
/** As a model's call is made: a new object each time. */
const inputOf = (at) => ({ ...inputs[at % inputs.length] });
const answerOf = ({ path }) => ({ path, rows: ['a', 'b', 'c'] });
const tool = async (input) => answerOf(input);

const cache = new CacheManager();
const wrapped = cache.wrap(tool, { name: 'wrapped' });
const effects = {
  pure: 'pure',
  one: { reads: ['fs:{path}'] },
  three: { reads: ['cwd', 'fs:{path}', 'user:{user}'] },
  write: { writes: ['cwd'] },
};
const rollout = new Rollout(cache, { effects, task: 'bench' });
const again = new Rollout(cache, { effects, task: 'bench' });
// Something has happened, so that chains are no empty ones.
for (const each of [rollout, again]) await each.call('write', {}, async () => 'done');
const through = (name) => (input) => rollout.call(name, input, tool);

const contenders = {
  'wrapped function': wrapped,
  'pure tool of a rollout': through('pure'),
  'tool that reads 1 resource': through('one'),
  'tool that reads 3 resources': through('three'),
};
const times = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]));
for (const ask of Object.values(contenders)) {
  // Three times: arguments are taken into the index at their second use.
  for (let at = 0; at < 3 * inputs.length; at++) await ask(inputOf(at));
}
const { loads } = cache.stats();
for (let round = 0; round < rounds; round++) {
  for (const [name, ask] of Object.entries(contenders)) {
    const given = Array.from({ length: calls }, (_, at) => inputOf(at));
    const began = process.cpuUsage();
    for (const input of given) {
      const { path } = await ask(input);
      if (path !== input.path) throw new Error(`Wrong answer: ${path}`);
    }
    const { user, system } = process.cpuUsage(began);
    // Two rounds are for the compiler.
    if (round > 1) times[name].push((user + system) / calls);
  }
}
if (cache.stats().loads !== loads) throw new Error('Expected hits alone');
await cache.close();

const median = (all) => all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)];
const base = median(times['wrapped function']);
console.log(
  `Node ${process.versions.node} · ${cpus().length} × ${cpus()[0]?.model} · ${new Date().toISOString().slice(0, 10)}\n`,
);
console.log('| a hit of a | µs of CPU | ratio |\n| --- | ---: | ---: |');
for (const [name, all] of Object.entries(times))
  console.log(`| ${name} | ${median(all).toFixed(2)} | ${(median(all) / base).toFixed(2)} |`);
