/**
 * A training script in outline: groups of rollouts answer one prompt each, and look their tool calls up with `get` and
 * `set`, or with `getOrSet`, which also shares calls under way. Run it with `npx tsx training-loop.ts`.
 */

import { CacheManager } from 'toolstash';

const rolloutsPerPrompt = 8;
const stepsPerRollout = 5;
const toolMs = 10;

let toolCalls = 0;

/** The tool: slow, and paid by the call. */
async function searchTheWeb(params: { query: string; page: number }): Promise<{ title: string }[]> {
  toolCalls++;
  await new Promise((resolve) => setTimeout(resolve, toolMs));
  return [{ title: `${params.query}, page ${params.page}` }];
}

/** What a policy would write: rollouts of one prompt mostly ask the same. */
function nextQuery(prompt: string, rollout: number, step: number): { query: string; page: number } {
  const hasOwnIdea = (rollout + step) % 4 === 0;
  return hasOwnIdea
    ? { query: `${prompt} idea ${rollout % 3}`, page: 1 }
    : { query: prompt, page: (step % 2) + 1 };
}

type Ask = (params: { query: string; page: number }) => Promise<{ title: string }[]>;

async function train(name: string, prompts: readonly string[], ask: Ask): Promise<void> {
  toolCalls = 0;
  const started = performance.now();
  for (const prompt of prompts) {
    const rollouts = Array.from({ length: rolloutsPerPrompt }, async (_, rollout) => {
      let reward = 0;
      for (let step = 0; step < stepsPerRollout; step++) {
        const results = await ask(nextQuery(prompt, rollout, step));
        reward += results.length;
      }
      return reward;
    });
    await Promise.all(rollouts);
  }
  const asked = prompts.length * rolloutsPerPrompt * stepsPerRollout;
  const ms = Math.round(performance.now() - started);
  console.log(`${name.padEnd(18)} ${asked} calls, ${String(toolCalls).padStart(3)} ran the tool, ${ms} ms`);
}

async function main(): Promise<void> {
  const prompts = ['mvcc', 'raft', 'lsm trees', 'crdt'];

  await train('no cache', prompts, searchTheWeb);

  const byHand = new CacheManager({ maxSize: 10_000 });
  await train('get and set', prompts, async (params) => {
    const known = await byHand.get<{ title: string }[]>('search', params);
    if (known !== undefined) return known;
    const results = await searchTheWeb(params);
    await byHand.set('search', params, results);
    return results;
  });

  const cache = new CacheManager({ maxSize: 10_000 });
  const ask: Ask = (params) => cache.getOrSet('search', params, () => searchTheWeb(params));
  await train('getOrSet', prompts, ask);
  await train('the next epoch', prompts, ask);

  const { hits, coalesced, misses, hitRate, savedMs } = cache.stats('search');
  const rate = `${(100 * hitRate).toFixed(1)} %`;
  console.log('getOrSet in numbers:', { hits, coalesced, misses, rate, savedMs: Math.round(savedMs) });

  await byHand.close();
  await cache.close();
}

void main();
