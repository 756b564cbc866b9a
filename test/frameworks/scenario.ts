/** What every framework is asked to do: the same rollouts, with tools that find, fail, need approval, write, stream, take long. */

import type { ToolRules } from '../../src/index.js';

/** A tool call that the model makes. */
export type Call = readonly [tool: string, input: Readonly<Record<string, unknown>>];

/** What the model says in one turn: calls, or its last word. */
export type Turn = readonly Call[] | string;

/** Turns by how often the model has spoken before. */
export type Script = readonly Turn[];

/** Takes tools as the framework defines them and gives them back, cached or not. */
export type Caching = <T extends object>(tools: T) => T;

/** An agent: runs a script to its end and tells the transcript as plain data, without ids and times. */
export type Agent = (script: Script, signal?: AbortSignal) => Promise<unknown>;

/** A framework's own agent over these tools. */
export type MakeAgent = (tools: World, caching: Caching) => Agent | Promise<Agent>;

/** The functions behind the tools, which count how often each runs. */
export class World {
  readonly runs: Record<string, number> = {};
  /** Signals that `slow` was given. */
  readonly signals: AbortSignal[] = [];
  #finish: () => void = () => undefined;
  readonly #finished = new Promise<void>((resolve) => {
    this.#finish = resolve;
  });

  async search({ query }: { query: string }): Promise<string> {
    this.#count('search');
    await pause(5);
    return `found ${query}`;
  }

  async broken({ id }: { id: number }): Promise<string> {
    this.#count('broken');
    await pause(5);
    throw new Error(`no page ${id}`);
  }

  /** Needs approval where the framework asks for it, and is cached. */
  async look({ at }: { at: string }): Promise<string> {
    this.#count('look');
    await pause(5);
    return `saw ${at}`;
  }

  /** Needs approval as well, and changes something. */
  async book({ to }: { to: string }): Promise<string> {
    this.#count('book');
    await pause(1);
    return `booked ${to}`;
  }

  async *watch({ site }: { site: string }): AsyncGenerator<string> {
    this.#count('watch');
    for (const part of ['opening', 'reading', 'read']) {
      await pause(1);
      yield `${part} ${site}`;
    }
  }

  /** Ends once `finish` is called, or by its signal. */
  async slow(_: { query: string }, signal: AbortSignal | undefined): Promise<string> {
    this.#count('slow');
    if (signal === undefined) throw new Error('Expected a signal');
    this.signals.push(signal);
    const aborted = new Promise<never>((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
    await Promise.race([this.#finished, aborted]);
    return 'found at last';
  }

  finish(): void {
    this.#finish();
  }

  #count(tool: string): void {
    this.runs[tool] = (this.runs[tool] ?? 0) + 1;
  }
}

/** What `cache.tools` is told. */
export const rules: ToolRules = {
  'sea*': { ttl: '1h' },
  broken: {},
  look: { ttl: '1h' },
  slow: {},
  watch: { collect: true },
  book: 'write',
  '*': 'opaque',
};

/** One of many rollouts. Those of one prompt ask the same. */
export function scriptOf(rollout: number, { streams = false } = {}): Script {
  return [
    [['search', { query: `prompt ${rollout % 4}` }]],
    [
      ['search', { query: 'mvcc' }],
      ['broken', { id: 404 }],
    ],
    [['search', { query: `prompt ${rollout % 4}` }]],
    ...(streams ? [[['watch', { site: 'a' }]] as const] : []),
    [['look', { at: 'fares' }]],
    [['book', { to: 'Rome' }]],
    'done',
  ];
}

/** One call of a tool that takes long. */
export const slowScript: Script = [[['slow', { query: 'all' }]], 'done'];

/** The turn of a model that has spoken so often. */
export function turnOf(script: Script, spoken: number): Turn {
  return script[spoken] ?? 'done';
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
