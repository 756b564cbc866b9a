/** `cache.tools` over tools of Mastra's, which may suspend their run. Its agents: `test/frameworks/`. */

import { describe, expect, it, vi } from 'vitest';
import { CacheManager } from '../../src/manager/cache-manager.js';
import { FakeClock } from '../../src/testing/fake-clock.js';

type Run = (input: object, context?: unknown) => unknown;

class MastraTool {
  readonly id: string;
  readonly execute: Run;
  constructor(id: string, execute: Run) {
    this.id = id;
    this.execute = execute;
  }
}

const newCache = () => new CacheManager({ clock: new FakeClock() });

/** A context as an agent passes it. */
const context = () => ({ toolCallId: 'call', messages: [], abortSignal: new AbortController().signal });

describe('a tool of Mastra’s', () => {
  type Answer = { readonly approved: boolean };
  const suspending = (levels: 'agent' | 'workflow' | undefined) => {
    const runs: string[] = [];
    const tool = new MastraTool('book', async (_input, given) => {
      const outer = given as Record<string, Record<string, unknown>>;
      const own = (levels === undefined ? outer : outer[levels]) as {
        suspend(question: string): Promise<void>;
        resumeData?: Answer;
      };
      if (own.resumeData !== undefined) return `booked: ${own.resumeData.approved}`;
      runs.push('asked');
      await own.suspend('sure?');
      return undefined;
    });
    const [cached] = newCache().tools([tool], { book: {} });
    const ask = (own: object) =>
      cached!.execute(
        { to: 'Rome' },
        levels === undefined ? own : { [levels]: own, requestContext: new Map() },
      );
    return { ask, runs };
  };

  it.each([undefined, 'agent', 'workflow'] as const)(
    'that suspends its run does so for each caller, and an answer is one caller’s: %s',
    async (levels) => {
      const { ask, runs } = suspending(levels);
      const suspends = Array.from({ length: 3 }, () => vi.fn(async () => {}));
      const suspended = await Promise.all(suspends.map((suspend) => ask({ suspend })));
      expect(suspended).toEqual([undefined, undefined, undefined]);
      expect(suspends.map((suspend) => suspend.mock.calls)).toEqual(suspends.map(() => [['sure?']]));
      expect(runs).toHaveLength(3);
      expect(await ask({ suspend: suspends[0], resumeData: { approved: true } })).toBe('booked: true');
      expect(await ask({ suspend: suspends[0], resumeData: { approved: false } })).toBe('booked: false');
    },
  );

  it('is given the very context that Mastra made for the call, and a copy of any other', async () => {
    const seen: unknown[] = [];
    const tool = new MastraTool('search', async (_input, given) => seen.push(given));
    const [cached] = newCache().tools([tool], { search: {} });
    const made = { ...context(), writer: new (class ToolStream {})() };
    await cached!.execute({ query: 1 }, made);
    expect(seen[0]).toBe(made);
    const own = Object.freeze({ ...context(), agent: Object.freeze({ suspend: async () => {} }) });
    const { abortSignal } = own;
    await cached!.execute({ query: 2 }, own);
    expect(seen[1]).not.toBe(own);
    expect(own.abortSignal).toBe(abortSignal);
    expect(Object.keys(seen[1] as object)).toEqual(Object.keys(own));
  });

  /** Its calls count themselves, and it says what it was resumed with. */
  const counting = (fields: object) => {
    let runs = 0;
    const run = async (...args: unknown[]) => {
      const given = args.map((each) => (each as { resumeData?: unknown }).resumeData ?? 'nothing');
      return `${JSON.stringify(given)}, run ${++runs}`;
    };
    const tool = Object.assign(new MastraTool('look', run), fields);
    const [cached] = newCache().tools([tool], { look: {} });
    return (...args: [object, object]) => cached!.execute(...args) as Promise<string>;
  };
  const ofMastra0 = (resumeData: unknown): [object, object] => [
    { context: { at: 'fares' }, runtimeContext: new Map(), resumeData },
    { ...context(), resumeData },
  ];
  const approved = { approved: true };

  it('that Mastra 0 runs after an approval is answered from the cache', async () => {
    const ask = counting({ requireApproval: true });
    const first = await ask(...ofMastra0(approved));
    expect(first).toBe('[{"approved":true},{"approved":true}], run 1');
    expect(await ask(...ofMastra0({ ...approved }))).toBe(first);
  });

  it.each<[string, object, [object, object]]>([
    ['with more than an approval', { requireApproval: true }, ofMastra0({ approved: true, seat: '4A' })],
    ['with another word', { requireApproval: true }, ofMastra0({ approved: 'yes' })],
    ['by its own question', {}, ofMastra0(approved)],
    [
      'in Mastra 1, which keeps approvals to itself',
      { requireApproval: true },
      [{ at: 'fares' }, { agent: { resumeData: approved } }],
    ],
  ])('runs for each caller that goes on %s', async (_name, fields, args) => {
    const ask = counting(fields);
    expect(await ask(...args)).toMatch(/run 1$/);
    expect(await ask(...args)).toMatch(/run 2$/);
  });
});
