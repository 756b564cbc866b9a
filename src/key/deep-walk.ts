/** The careful walk over params that the quick one gave up on: on a stack of its own, and knowing where it is. */

import { UnhashableParamsError } from '../errors.js';
import type { IgnoredMembers } from './ignored-path.js';
import { tooLong } from './json-leaf.js';
import {
  describeKind,
  isOrdinaryArray,
  isPlain,
  symbolFieldOf,
  type TaggedForm,
  taggedForm,
} from './tagged-form.js';

/** Texts of deep parts that are printed already, so that printing what is above them need not go down there again. */
export type KnownTexts = ReadonlyMap<object, string>;

export interface DeepWalkOptions {
  readonly value: unknown;
  /** What the value is called in paths: `params`. */
  readonly root: string;
  readonly ignored: IgnoredMembers | undefined;
  /** Prints a part of at most some hundred levels above known texts. */
  readonly print: (part: object, known: KnownTexts) => string;
}

/** How many levels of a deep value become one known text; with the longest ignored path it stays well below `levels`. */
const levelsAtOnce = 128;

/**
 * Texts of enough parts of a value, from its leaves up, that no more than some hundred levels lie between them.
 *
 * @throws UnhashableParamsError at the first thing that has no text, with its path.
 */
export function resolveDeepParts({ value, root, ignored, print }: DeepWalkOptions): KnownTexts {
  const known = new Map<object, string>();
  const finished = new Set<object>();
  const open = new Set<object>();
  const frames: Frame[] = [];

  const enter = (member: Member, isMade: boolean) => {
    const child = readMember(member, frames);
    if (typeof child !== 'object' || child === null) return;
    if (member.ignored === undefined && finished.has(child)) {
      // It occurs again: printed once, it can't multiply the work.
      if (!known.has(child)) known.set(child, print(child, known));
      return reach(frames.at(-1), 1);
    }
    if (open.has(child)) throw unhashable(frames, member, 'an object that contains itself');
    open.add(child);
    frames.push(openFrame(child, member, isMade, frames));
  };

  const leave = (frame: Frame) => {
    frames.pop();
    open.delete(frame.container);
    // What is made for a form is made anew each time, and with members left out a text holds only at this place.
    if (!frame.isMade && frame.ignored === undefined) {
      if (frame.height >= levelsAtOnce) {
        known.set(frame.container, print(frame.container, known));
        frame.height = 0;
      }
      finished.add(frame.container);
    }
    reach(frames.at(-1), frame.height + 1);
  };

  enter({ label: root, read: () => value, ignored }, false);
  for (let frame = frames.at(-1); frame !== undefined; frame = frames.at(-1)) {
    const step = frame.members.next();
    if (step.done === true) leave(frame);
    else enter(step.value, frame.makesMembers);
  }
  return known;
}

/** One step down from a container. */
interface Member {
  /** What it adds to the path: `.filter`, `[2]`. */
  readonly label: string;
  readonly read: () => unknown;
  readonly ignored: IgnoredMembers | undefined;
}

/** A container that is being walked over. */
interface Frame {
  readonly container: object;
  readonly label: string;
  readonly ignored: IgnoredMembers | undefined;
  /** Whether the container was made for its parent's form. */
  readonly isMade: boolean;
  readonly makesMembers: boolean;
  readonly members: Iterator<Member, undefined>;
  /** Levels from here down to known texts or leaves, as far as they are walked over. */
  height: number;
}

function openFrame(container: object, member: Member, isMade: boolean, frames: readonly Frame[]): Frame {
  const { label, ignored } = member;
  const frame = { container, label, ignored, isMade, makesMembers: false, height: 0 };
  try {
    const isPlainData = Array.isArray(container)
      ? isOrdinaryArray(container)
      : isPlain(container) && symbolFieldOf(container) === undefined;
    if (isPlainData) {
      return { ...frame, members: fieldsOf(container, ignored) };
    }
    const form = taggedForm(container);
    if (form !== undefined)
      return { ...frame, members: partsOf(form), makesMembers: form.partsAreMembers !== true };
  } catch (cause) {
    if (cause === tooLong) throw cause;
    throw unhashable(frames, member, 'an object that throws when it is read', { cause });
  }
  throw unhashable(frames, member, describeKind(container));
}

function* fieldsOf(container: object, ignored: IgnoredMembers | undefined): Generator<Member, undefined> {
  const isArray = Array.isArray(container);
  for (const key of isArray ? container.keys() : Object.keys(container)) {
    const below = ignored?.get(`${key}`);
    if (below === true) continue;
    const label = isArray ? `[${key}]` : fieldLabel(`${key}`);
    yield { label, read: () => (container as Record<string | number, unknown>)[key], ignored: below };
  }
}

function* partsOf({ parts, access }: TaggedForm): Generator<Member, undefined> {
  for (const [i, part] of parts.entries()) {
    yield { label: access === undefined ? '' : `${access}[${i}]`, read: () => part, ignored: undefined };
  }
}

function fieldLabel(key: string): string {
  return /^[\w$]+$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

function readMember(member: Member, frames: readonly Frame[]): unknown {
  let value: unknown;
  try {
    value = member.read();
  } catch (cause) {
    throw unhashable(frames, member, 'a getter that throws', { cause });
  }
  if (typeof value === 'function' || typeof value === 'symbol')
    throw unhashable(frames, member, describeKind(value));
  return value;
}

function reach(frame: Frame | undefined, height: number): void {
  if (frame !== undefined && frame.height < height) frame.height = height;
}

function unhashable(
  frames: readonly Frame[],
  member: Member,
  kind: string,
  options?: ErrorOptions,
): UnhashableParamsError {
  const path = [...frames, member].map(({ label }) => label).join('');
  return new UnhashableParamsError(
    path,
    `Expected \`${shortened(path)}\` to be plain data, got ${kind}: pass its data, or leave it out of the key with \`ignore\``,
    options,
  );
}

function shortened(path: string): string {
  return path.length <= 200 ? path : `${path.slice(0, 100)} … ${path.slice(-100)}`;
}
