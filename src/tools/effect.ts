/** Effects: what a tool reads and changes, as its user declares it. */

import { InvalidOptionError } from '../errors.js';
import { expected, refuseUnknown } from '../option-checks.js';
import { everything, ResourceTemplate } from './resource.js';

/**
 * What a tool does to the world.
 *
 * - `'pure'`: equal inputs have equal answers, whatever was done before
 * - `'opaque'`: never answered from the cache, and changes nothing: a clock, a random number
 * - `'write'`: may read and change everything
 * - `{ reads, writes }`: the resources it reads and changes
 */
export type Effect = 'pure' | 'opaque' | 'write' | ResourceEffect;

/**
 * What a tool reads and changes: names of resources (`flights`), templates over its arguments (`reservation:{id}`,
 * `user:{customer.id}`), and patterns, in which `*` stands for any text without `/` and `**` for any text (`fs:**`).
 * A resource and what lies below it (`fs:a`, `fs:a/b`) overlap.
 */
export interface ResourceEffect {
  /** What its answer depends on. What it changes is part of it. @default [] */
  readonly reads?: readonly string[];
  /** What it may change. @default [] */
  readonly writes?: readonly string[];
}

/** An effect that was checked. */
export type ResolvedEffect =
  | { readonly kind: 'pure' }
  | { readonly kind: 'opaque' }
  | {
      readonly kind: 'tracked';
      readonly reads: readonly ResourceTemplate[];
      readonly writes: readonly ResourceTemplate[];
      /** `false`: nobody has said what it does. */
      readonly isDeclared: boolean;
    };

const all = [new ResourceTemplate(everything, 'everything')];

/** A tool that may do anything, by what its user says. */
const write: ResolvedEffect = { kind: 'tracked', reads: all, writes: all, isDeclared: true };
/** A tool of which nothing was said. */
export const undeclared: ResolvedEffect = { ...write, isDeclared: false };

/** @throws InvalidOptionError naming `path`, its value and the fix */
export function resolveEffect(effect: unknown, path: string): ResolvedEffect {
  if (effect === 'pure' || effect === 'opaque') return { kind: effect };
  if (effect === 'write') return write;
  if (typeof effect !== 'object' || effect === null || Array.isArray(effect)) {
    throw expected(path, "'pure', 'opaque', 'write' or `{ reads: ['…'], writes: ['…'] }`", effect);
  }
  refuseUnknown(effect, ['reads', 'writes'], { of: `\`${path}\``, noun: 'field' });
  const { reads, writes } = effect as ResourceEffect;
  const resolved = {
    kind: 'tracked',
    reads: templates(reads, `${path}.reads`),
    writes: templates(writes, `${path}.writes`),
    isDeclared: true,
  } as const;
  if (resolved.reads.length + resolved.writes.length > 0) return resolved;
  throw new InvalidOptionError(
    `Expected \`${path}\` to name a resource, got none: say 'pure' where equal inputs have equal answers`,
  );
}

function templates(value: unknown, path: string): readonly ResourceTemplate[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw expected(path, "a list of resources, as `['reservation:{id}']`", value);
  return value.map((each: unknown, at) => new ResourceTemplate(each, `${path}[${at}]`));
}
