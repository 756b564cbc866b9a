/** Hits in Redis beside peers on the same server: `npm run bench:redis -- [--quick] [--seed <n>]`. */

import { parseArgs } from 'node:util';
import { RedisServer } from '../../test/helper/redis-server.js';
import { printTable, runLine, timingCells, timingHead } from '../report.js';
import { cpuTime, runRounds, settleHeap } from '../rounds.js';
import { seededRandom } from '../workloads.js';
import {
  asyncCacheDedupe,
  bareClient,
  bentocache,
  cacheable,
  type RedisContender,
  toolstash,
} from './contenders.js';

const { values } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, seed: { type: 'string', default: '1' } },
});
const seed = Number(values.seed);
const [rounds, warmUps, keys] = values.quick ? [2, 1, 500] : [12, 3, 2_000];
const numbers = Array.from({ length: keys }, (_, n) => n);
const textOf = (n: number) => `${n} `.padEnd(1_024, 'x');

let isTimed = false;
const tool = async (n: number) => {
  if (isTimed) throw new Error('A tool was run while hits were timed');
  return textOf(n);
};

/** Fills each, and checks what it answers from Redis. */
async function check(contenders: readonly RedisContender[]): Promise<void> {
  for (const { name, call, stored, many } of contenders) {
    for (const n of numbers) if ((await call(n)) !== textOf(n)) throw new Error(`${name} answered wrongly`);
    await stored();
    const found = (await many?.(numbers.slice(0, 100))) ?? [];
    if (found.some((value, n) => value !== textOf(n))) throw new Error(`${name} mixed results up`);
  }
}

/** What a hit takes of the CPU of this process, each time by `run`, which makes one for each number. */
async function time(
  contenders: readonly RedisContender[],
  run: (contender: RedisContender) => Promise<unknown>,
) {
  isTimed = true;
  const runners = contenders.map((contender) => ({
    name: contender.name,
    async run() {
      settleHeap();
      const before = cpuTime();
      await run(contender);
      return (cpuTime() - before) / keys;
    },
  }));
  const samples = await runRounds({ runners, rounds, warmUps, random: seededRandom(seed, 0) });
  isTimed = false;
  const [baseline] = samples;
  return samples.map((each) => [each.name, ...timingCells(each, baseline!)]);
}

async function inGroups(size: number, run: (group: number[]) => Promise<unknown>): Promise<void> {
  for (let from = 0; from < keys; from += size) await run(numbers.slice(from, from + size));
}

const server = await RedisServer.start();
// Also where a check fails.
process.once('exit', () => void server.stop());
const { url } = server;
console.log(`Toolstash on Redis\n${runLine(seed)}${values.quick ? '\nQuick run: no figures to quote.' : ''}`);

const ours = await toolstash(url, tool, false);
const bare = await bareClient(url);
const peers = [bentocache(url, tool, false), cacheable(url, tool), asyncCacheDedupe(url, tool)];
await check([ours, bare, ...peers]);
const all = [bare, ours, ...peers];
const head = ['', ...timingHead('bare client')];
const one = ({ call }: RedisContender) => inGroups(1, ([n]) => call(n!));
printTable({ title: 'A hit in Redis, one at a time', head, rows: await time(all, one) });
const at64 = ({ call }: RedisContender) => inGroups(64, (group) => Promise.all(group.map((n) => call(n))));
printTable({ title: 'A hit in Redis, 64 at once', head, rows: await time(all, at64) });
const many = ({ many: ask }: RedisContender) => inGroups(100, (group) => ask!(group));
printTable({ title: 'A hit in Redis, `getMany` of 100', head, rows: await time([bare, ours], many) });
await Promise.all(all.map(({ close }) => close()));

const inMemory = [bentocache(url, tool, true), await toolstash(url, tool, true)];
await check(inMemory);
printTable({
  title: 'A hit in memory, kept coherent by Redis',
  head: ['', ...timingHead('bentocache')],
  rows: await time(inMemory, one),
});
await Promise.all(inMemory.map(({ close }) => close()));
await server.remove();
