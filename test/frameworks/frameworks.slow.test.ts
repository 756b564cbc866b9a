/** `cache.tools` in the frameworks themselves: real agent loops with scripted models, 64 rollouts at once, no network. */

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { CacheManager } from '../../src/manager/cache-manager.js';
import { librariesOf } from '../helper/libraries.js';
import { runExample } from './examples.js';
import { type MakeAgent, pause, rules, scriptOf, slowScript, World } from './scenario.js';

const rollouts = 64;

interface Framework {
  readonly agent: () => Promise<MakeAgent>;
  /** Whether its tools may yield preliminary results. */
  readonly streams?: boolean;
  /** Whether a person approves some tools; without, those are left out. */
  readonly approves?: boolean;
}

const aiSdk = () => import('./ai-sdk.js');
const frameworks: Readonly<Record<string, Framework>> = {
  'AI SDK 6, generateText': { agent: async () => (await aiSdk()).generateText6, streams: true },
  'AI SDK 7, generateText': { agent: async () => (await aiSdk()).generateText7, streams: true },
  'AI SDK 6, streamText': { agent: async () => (await aiSdk()).streamText6, streams: true, approves: false },
  'AI SDK 7, streamText': { agent: async () => (await aiSdk()).streamText7, streams: true, approves: false },
  'OpenAI Agents': { agent: async () => (await import('./openai-agents.js')).openAiAgents },
  'Mastra 0': { agent: async () => (await import('./mastra.js')).mastra0 },
  'Mastra 1': { agent: async () => (await import('./mastra.js')).mastra1 },
  LangChain: { agent: async () => (await import('./langchain.js')).langChain },
  'Claude Agent SDK': { agent: async () => (await import('./claude-agent-sdk.js')).claudeAgentSdk },
};

await librariesOf(new URL('.', import.meta.url));

describe.each(Object.entries(frameworks))('%s', (_, { agent, streams = false, approves = true }) => {
  let make: MakeAgent;
  beforeAll(async () => {
    make = await agent();
  });

  // Some print each error of a tool, with its stack.
  beforeEach(() => {
    for (const name of ['error', 'warn', 'info', 'log'] as const)
      vi.spyOn(console, name).mockImplementation(() => undefined);
  });
  afterEach(() => void vi.restoreAllMocks());

  const scripts = Array.from({ length: rollouts }, (_each, rollout) =>
    scriptOf(rollout, { streams }).filter(
      (turn) => approves || !['look', 'book'].includes(String(turn[0]?.[0])),
    ),
  );

  it('has the same transcripts with the cache, from fewer runs', async () => {
    const [plain, cached] = [new World(), new World()];
    const cache = new CacheManager();
    const without = await make(plain, (tools) => tools);
    const expected = await Promise.all(scripts.map((script) => without(script)));
    const agentOfCache = await make(cached, (tools) => cache.tools(tools, rules));
    const transcripts = await Promise.all(scripts.map((script) => agentOfCache(script)));
    expect(transcripts).toEqual(expected);
    expect(JSON.stringify(expected[0])).toMatch(/no page 404|An error occurred while running the tool/);
    expect(plain.runs).toEqual({
      ...{ search: 3 * rollouts, broken: rollouts },
      ...(streams && { watch: rollouts }),
      ...(approves && { look: rollouts, book: rollouts }),
    });
    const { broken = 0, ...others } = cached.runs;
    expect(others).toEqual({
      search: 5,
      ...(streams && { watch: 1 }),
      ...(approves && { look: 1, book: rollouts }),
    });
    // Errors are shared in flight and never stored.
    expect(broken).toBeLessThanOrEqual(rollouts);
    const before = broken;
    await agentOfCache(scripts[0]!);
    expect(cached.runs).toMatchObject({ search: 5, broken: before + 1 });
  });

  it('has an abort of one rollout end that one alone', async () => {
    const world = new World();
    const cache = new CacheManager();
    const ask = await make(world, (tools) => cache.tools(tools, rules));
    const callers = [new AbortController(), new AbortController(), new AbortController()];
    const asked = callers.map(({ signal }) => outcome(ask(slowScript, signal)));
    await until(() => cache.stats('slow').coalesced === 2);
    callers[0]!.abort(new Error('enough'));
    await pause(20);
    expect(world.signals.map(({ aborted }) => aborted)).toEqual([false]);
    world.finish();
    const [left, ...stayed] = await Promise.all(asked);
    expect(JSON.stringify(stayed)).toContain('found at last');
    expect(stayed[0]).toEqual(stayed[1]);
    expect(JSON.stringify(left)).not.toContain('found at last');
    expect(world.runs).toEqual({ slow: 1 });
  });
});

describe('the examples', () => {
  it.each([
    ['ai-sdk', 'Have a good trip. 8 rollouts: { search: 1, book: 8 }\n'],
    ['openai-agents', 'There is one at 9:05. 8 rollouts, the search ran: 1\n'],
    ['langchain', 'There is one at 9:05. 8 rollouts, the search ran: 1\n'],
    ['claude-agent-sdk', '[{"type":"text","text":"Rome 9:05, Rome 13:40"}] 8 calls, the search ran: 1\n'],
    ['mastra', 'There is one at 9:05. 8 rollouts, the search ran: 1\n'],
  ])('%s runs', async (name, prints) => {
    expect(await runExample(`agents/${name}`)).toBe(prints);
  });

  it('and the agents above compile, with the types of the frameworks', async () => {
    const tsc = fileURLToPath(new URL('../../node_modules/typescript-7/bin/tsc', import.meta.url));
    const project = fileURLToPath(new URL('.', import.meta.url));
    const compiled = promisify(execFile)(process.execPath, [tsc, '--noEmit', '-p', project]);
    await expect(compiled.catch(({ stdout }) => ({ stdout }))).resolves.toMatchObject({ stdout: '' });
  });
});

async function outcome(transcript: Promise<unknown>): Promise<unknown> {
  try {
    return await transcript;
  } catch (error) {
    return String(error);
  }
}

async function until(isSo: () => boolean): Promise<void> {
  const giveUpAt = Date.now() + 20_000;
  while (!isSo()) {
    if (Date.now() > giveUpAt) throw new Error(`Expected soon: ${isSo}`);
    await pause(5);
  }
}
