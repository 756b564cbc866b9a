/** Worlds whose tools really do what they say, for traces of our own making. */

import type { EffectDeclarations } from '../../../src/rollout/index.js';

export type Input = Readonly<Record<string, unknown>>;
export type Random = () => number;

/** One call of a tool. */
export interface ToolRequest {
  readonly tool: string;
  readonly input: Input;
}

/** What a call comes to. */
export interface Outcome<State> {
  readonly state: State;
  readonly result: unknown;
}

/** How a tool is run. */
export interface RunContext {
  /** A number that is another each time: what a tool makes up, so that its input does not tell its result. */
  nonce(): number;
  /** The tool breaks off half-way. */
  readonly isHalf: boolean;
}

/** A kind of world. Its states never change: each call of a tool makes another. */
export interface ToolWorld<State> {
  readonly name: string;
  /** What its tools read and write, as their user declares it. */
  readonly effects: EffectDeclarations;
  /** Tools that only read. */
  readonly readers: ReadonlySet<string>;
  /** Tools whose results nothing tells. */
  readonly stochastic: ReadonlySet<string>;
  begin(random: Random): State;
  run(state: State, request: ToolRequest, context: RunContext): Outcome<State>;
  draw(random: Random): ToolRequest;
}

export function pick<T>(random: Random, from: readonly T[]): T {
  return from[Math.floor(random() * from.length)]!;
}

/** Draws one of these, each as often as its number says. */
export function pickWeighted<Name extends string>(
  random: Random,
  weights: Readonly<Record<Name, number>>,
): Name {
  const entries = Object.entries(weights) as [Name, number][];
  let left = random() * entries.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [name, weight] of entries) {
    left -= weight;
    if (left < 0) return name;
  }
  return entries[0]![0];
}
