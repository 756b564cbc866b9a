/** Tools that their frameworks may interrupt to ask a person, through rollouts. Real agents: `test/frameworks/`. */

import { describe, expect, it } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { Rollout, type RolloutEnvironment } from '../../src/rollout/index.js';

class MastraTool {
  readonly id: string;
  readonly execute: (input: object, context: object) => Promise<unknown>;
  constructor(id: string, execute: MastraTool['execute']) {
    this.id = id;
    this.execute = execute;
  }
}

class LangChainTool {
  readonly name: string;
  readonly func: (input: object, runManager: unknown, config: object) => Promise<unknown>;
  constructor(name: string, func: LangChainTool['func']) {
    this.name = name;
    this.func = func;
  }
  invoke(input: object, config: object): Promise<unknown> {
    return this.func(input, undefined, config);
  }
}

const effects = Object.freeze({
  look: { reads: ['seat'] },
  sum: 'pure',
  book: { writes: ['seat'] },
} as const);

/** A tool that asks a person, counts its runs, and says how it was answered. */
type Asking = (name: string) => {
  through(rollout: Rollout): {
    ask(signal?: AbortSignal): Promise<unknown>;
    resume(answer: string): Promise<unknown>;
  };
  readonly runs: () => number;
  readonly signals: unknown[];
};

const mastra: Asking = (name) => {
  let runs = 0;
  const signals: unknown[] = [];
  const tool = new MastraTool(name, async (_, context) => {
    const { agent, abortSignal } = context as Record<string, never> & { agent: Record<string, never> };
    runs += 1;
    signals.push(abortSignal);
    const { suspend, resumeData } = agent as unknown as { suspend(): Promise<void>; resumeData?: string };
    if (resumeData !== undefined) return `${resumeData}, run ${runs}`;
    await suspend();
    return undefined;
  });
  const suspend = async () => undefined;
  return {
    through(rollout) {
      const [own] = rollout.tools([tool]);
      const call = (context: object) => own!.execute({ at: 1 }, context);
      return {
        ask: (abortSignal) => call({ agent: { suspend }, ...(abortSignal && { abortSignal }) }),
        resume: (resumeData) => call({ agent: { suspend, resumeData } }),
      };
    },
    runs: () => runs,
    signals,
  };
};

const langChain: Asking = (name) => {
  let runs = 0;
  const signals: unknown[] = [];
  const tool = new LangChainTool(name, async (_, _run, config) => {
    const { configurable = {}, signal } = config as {
      configurable?: Record<string, unknown>;
      signal: unknown;
    };
    runs += 1;
    signals.push(signal);
    if (configurable['answer'] !== undefined) return `${configurable['answer']}, run ${runs}`;
    throw Object.assign(new Error('interrupt'), { is_bubble_up: true });
  });
  const interrupted = (error: unknown) => (error as Error).message;
  return {
    through(rollout) {
      const [own] = rollout.tools([tool]);
      return {
        ask: (signal) => own!.invoke({ at: 1 }, { ...(signal && { signal }) }).catch(interrupted),
        resume: (answer) => own!.invoke({ at: 1 }, { configurable: { __pregel_resuming: true, answer } }),
      };
    },
    runs: () => runs,
    signals,
  };
};

describe('a tool that reads a context besides its input', () => {
  const tools = (name: string) => [{ name, execute: async () => 1, contextSchema: {} }];
  const environment = { replay: () => [] };

  it('is refused where its answers are shared, and runs where they are not', () => {
    const cache = new CacheManager();
    const rollout = new Rollout(cache, { effects: { ...effects, clock: 'opaque' } });
    const told = 'it reads a context (`contextSchema`) that is no part of its input';
    for (const name of ['look', 'sum']) expect(() => rollout.tools(tools(name))).toThrow(told);
    for (const name of ['book', 'clock', 'undeclared']) expect(rollout.tools(tools(name))).toHaveLength(1);
    expect(() => new Rollout(cache, { effects, environment }).tools(tools('book'))).toThrow(told);
  });
});

describe.each([
  ['Mastra', mastra],
  ['LangChain', langChain],
])('a tool of %s that asks a person', (_, asking) => {
  const cache = () => new CacheManager();
  const begin = (on: CacheManager, environment?: RolloutEnvironment) =>
    new Rollout(on, { effects, task: 't', ...(environment && { environment }) });

  it.each(['look', 'sum'])('asks each, and an answer is for one alone: `%s`', async (name) => {
    const tool = asking(name);
    const shared = cache();
    const callers = [1, 2, 3].map(() => tool.through(begin(shared)));
    await Promise.all(callers.map(({ ask }) => ask()));
    expect(tool.runs()).toBe(3);
    expect(await callers[0]!.resume('yes')).toBe('yes, run 4');
    expect(await callers[1]!.resume('no')).toBe('no, run 5');
    expect(await callers[1]!.resume('no')).toBe('no, run 6');
    expect(shared.stats().entries).toBe(0);
  });

  it.each(['look', 'sum', 'book'])(
    'goes on by its own answer, whatever others were told: `%s`',
    async (name) => {
      const tool = asking(name);
      const shared = cache();
      const environment = { replay: (writes: readonly unknown[]) => writes.map(() => 'told to others') };
      const callers = [1, 2].map(() => tool.through(begin(shared, environment)));
      await begin(shared, environment).call(name, { at: 1 }, () => 'told to others');
      expect(await callers[0]!.ask()).toBe('told to others');
      const answers = callers.map(({ resume }, at) => resume(`answer ${at}`));
      expect(await Promise.all(answers)).toEqual([
        expect.stringMatching(/^answer 0/),
        expect.stringMatching(/^answer 1/),
      ]);
      expect(tool.runs()).toBe(2);
    },
  );

  it('has a signal of its own, which its caller aborts', async () => {
    const tool = asking('look');
    const { signal } = new AbortController();
    await tool.through(begin(cache())).ask(signal);
    expect(tool.signals[0]).toBeInstanceOf(AbortSignal);
    expect(tool.signals[0]).not.toBe(signal);
  });

  it('writes what nobody knows: nothing of it is shared from then on', async () => {
    const shared = cache();
    const environment = { replay: () => [] };
    const tool = asking('book');
    const [one, two] = [begin(shared, environment), begin(shared, environment)];
    const seat = (of: Rollout, is: string) => of.call('look', { at: 1 }, () => is);
    expect(await seat(one, 'free')).toBe('free');
    const callers = [tool.through(one), tool.through(two)];
    for (const { ask } of callers) await ask();
    expect(await seat(one, 'asked by one')).toBe('asked by one');
    expect(await seat(two, 'asked by two')).toBe('asked by two');
    expect(await callers[0]!.resume('yes')).toBe('yes, run 3');
    expect(await callers[1]!.resume('yes')).toBe('yes, run 4');
    expect(await seat(one, 'booked by one')).toBe('booked by one');
    expect(await seat(two, 'booked by two')).toBe('booked by two');
  });
});
