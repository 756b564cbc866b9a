/** The options of a recording, and how they are checked and resolved. */

import { resolve } from 'node:path';
import { type IgnoredPath, InvalidOptionError } from '../index.js';
import { checkedPaths } from '../key/ignored-path.js';
import { expected, filePath, functionOf, objectOf, oneOf, refuseUnknown } from '../option-checks.js';
import { modeVariable, type RecordedAnswer, type RecordingMode, recordingModes } from '../recorded-tools.js';

/** A call that a recording has answered. */
export interface AnsweredCall {
  /** The tool's name. */
  readonly method: string;
  /** The key of the call, 32 hex digits. */
  readonly key: string;
  /** What has answered it. */
  readonly answer: RecordedAnswer;
}

/** Which tools may be answered by a call that is only like theirs. */
export interface ApproximateOptions {
  /** Their names, in which `*` stands for any text. */
  readonly tools: readonly string[];
  /**
   * The largest distance, above 0 and up to 1. A call's arguments are the leaves of its params by their paths; the distance of two
   * calls is the mean, over all paths that either has, of the distances of the two leaves: 0 where they are equal; 1 where
   * one is missing, or they differ and are not both texts, or neither text has two words; else 1 minus Dice's coefficient
   * of their sets of words in lower case (twice the words in common, divided by the words of both), 0.01 at least. What
   * is ignored or redacted does not count, and only calls under the same scope and version are compared.
   */
  readonly maxDistance: number;
}

/** The options of `recording()`. */
export interface RecordingOptions {
  /** The folder of the recording: an ordinary cache folder. `record` makes it, the processes of a test run share it. */
  readonly dir: string;
  /**
   * What is done with it. The environment variable `TOOLSTASH_MODE` goes before, so that a suite is recorded anew without a
   * change of its code.
   * @default 'live'
   */
  readonly mode?: RecordingMode | undefined;
  /**
   * Paths of params that are not kept, as in `keepParams: { redact }`: they never reach the disk. Results are kept as they are.
   * @default []
   */
  readonly redact?: readonly IgnoredPath[] | undefined;
  /**
   * Tools that `strict` may run where nothing is recorded: they need no network, or are stand-ins. `*` stands for any text.
   * @default []
   */
  readonly offline?: readonly string[] | undefined;
  /**
   * In `replay`, answers calls that are not recorded by the nearest one that is. Such an answer is marked (`onAnswer`, `lookup`,
   * `onAnswer` of a rollout), never stored, and never counted as a hit.
   * @default undefined
   */
  readonly approximate?: ApproximateOptions | undefined;
  /** Called with each load that was answered from the recording: once for all calls that wait for it. */
  onAnswer?(call: AnsweredCall): void;
}

/** The same with nothing left open. */
export interface ResolvedRecordingOptions {
  readonly dir: string;
  readonly mode: RecordingMode;
  readonly redact: readonly IgnoredPath[];
  readonly isOffline: (method: string) => boolean;
  /** `undefined`: none is approximated. */
  readonly approximate:
    | { readonly has: (method: string) => boolean; readonly maxDistance: number }
    | undefined;
  readonly onAnswer: ((call: AnsweredCall) => void) | undefined;
}

const names = ['dir', 'mode', 'redact', 'offline', 'approximate', 'onAnswer'];

type Environment = Readonly<Record<string, string | undefined>>;

/** @throws InvalidOptionError naming the option or the variable, its value and the fix */
export function resolveRecordingOptions(
  options: RecordingOptions,
  environment: Environment = process.env,
): ResolvedRecordingOptions {
  refuseUnknown(
    objectOf(options, 'recording()', "an object, as `recording({ dir: 'test/recording' })`"),
    names,
    {
      of: 'recording()',
    },
  );
  const { dir, mode = 'live', redact = [], offline = [], approximate, onAnswer } = options;
  return {
    dir: resolve(filePath(dir, 'dir')),
    mode: modeIn(environment) ?? oneOf(mode, 'mode', recordingModes),
    redact: checkedPaths(redact, 'redact'),
    isOffline: matcherOf(offline, 'offline'),
    approximate: approximate === undefined ? undefined : resolveApproximate(approximate),
    onAnswer: onAnswer === undefined ? undefined : functionOf(onAnswer, 'onAnswer'),
  };
}

function modeIn(environment: Environment): RecordingMode | undefined {
  const mode = environment[modeVariable];
  return mode === undefined || mode === '' ? undefined : oneOf(mode, modeVariable, recordingModes);
}

function resolveApproximate(approximate: ApproximateOptions): ResolvedRecordingOptions['approximate'] {
  const form = "an object, as `{ tools: ['search'], maxDistance: 0.3 }`";
  refuseUnknown(objectOf(approximate, 'approximate', form), ['tools', 'maxDistance'], {
    of: '`approximate`',
    noun: 'field',
  });
  const { tools, maxDistance } = approximate;
  if (!(typeof maxDistance === 'number' && maxDistance > 0 && maxDistance <= 1))
    throw expected('approximate.maxDistance', 'a number above 0 and up to 1', maxDistance);
  const has = matcherOf(tools, 'approximate.tools');
  if (tools.length === 0) {
    throw new InvalidOptionError(
      'Expected `approximate.tools` to name a tool, got none: leave `approximate` out',
    );
  }
  return { has, maxDistance };
}

/** Whether a name is one of a list, in which `*` stands for any text. */
function matcherOf(list: readonly string[], path: string): (name: string) => boolean {
  const isList = Array.isArray(list) && list.every((name) => typeof name === 'string' && name !== '');
  if (!isList) throw expected(path, "a list of tools' names, as `['search', 'read_*']`", list);
  const patterns = list.map((name) => {
    const parts = name.split('*').map((part: string) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'));
    return new RegExp(`^${parts.join('.*')}$`, 's');
  });
  return (name) => patterns.some((pattern) => pattern.test(name));
}
