/** How calls say which trajectory they are part of: in `_meta`, in a header, in the URL's path; or the config does. */

import { createHash } from 'node:crypto';
import { InvalidOptionError } from '../errors.js';
import { expected, given, objectOf, refuseUnknown, text, trueOrFalse } from '../option-checks.js';
import { recordIn } from './message.js';
import type { RolloutName } from './session-worlds.js';

/** Of longer names a digest is kept. */
const longestName = 512;

/** Where a name stands in calls. */
export interface NameSource {
  /** The field of `_meta`. @default 'toolstash/task', 'toolstash/rollout' */
  readonly meta?: string;
  /** The header of clients over HTTP. @default 'toolstash-task', 'toolstash-rollout' */
  readonly header?: string;
}

/** How rollouts are named. In a URL it is `/mcp/<task>/<id>`. Of several, `_meta` goes first, then the header. */
export interface RolloutsConfig {
  /** What a call's rollout is an attempt at: rollouts of a task begin in the same state. A text names it for all calls. */
  readonly task?: string | NameSource;
  /** Its name among the rollouts of its task. */
  readonly id?: string | NameSource;
  /**
   * Whether the servers keep a world for each rollout by themselves, so that what one does is nothing to others of the same
   * session.
   * @default false: each session has one
   */
  readonly ownWorlds?: boolean;
}

interface ResolvedName {
  readonly fixed: string | undefined;
  readonly meta: string;
  readonly header: string;
}

/** The same, with nothing left open. */
export interface ResolvedRollouts {
  readonly task: ResolvedName;
  readonly id: ResolvedName;
  readonly ownWorlds: boolean;
}

type WithVariables = (value: string, path: string) => string;

/** @throws InvalidOptionError */
export function resolveRollouts(config: RolloutsConfig, withVariables: WithVariables): ResolvedRollouts {
  refuseUnknown(objectOf(config, 'rollouts'), ['task', 'id', 'ownWorlds'], {
    of: '`rollouts`',
    noun: 'field',
  });
  const { task, id, ownWorlds = false } = config;
  return {
    task: resolveName(task, 'rollouts.task', 'task', withVariables),
    id: resolveName(id, 'rollouts.id', 'rollout', withVariables),
    ownWorlds: trueOrFalse(ownWorlds, 'rollouts.ownWorlds'),
  };
}

function resolveName(
  source: string | NameSource = {},
  path: string,
  name: string,
  withVariables: WithVariables,
): ResolvedName {
  const byDefault = { meta: `toolstash/${name}`, header: `toolstash-${name}` };
  if (typeof source === 'string') {
    const fixed = withVariables(source, path);
    if (fixed === '') throw expected(path, 'a non-empty string', fixed);
    return { ...byDefault, fixed };
  }
  refuseUnknown(
    objectOf(source, path, "a text, or an object as `{ meta: 'acme/task' }`"),
    ['meta', 'header'],
    {
      of: `\`${path}\``,
      noun: 'field',
    },
  );
  const meta = text(given(source.meta, byDefault.meta), `${path}.meta`);
  const header = text(given(source.header, byDefault.header), `${path}.header`).toLowerCase();
  if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(header))
    throw new InvalidOptionError(
      `Expected \`${path}.header\` to be the name of a header, got ${JSON.stringify(header)}`,
    );
  return { meta, header, fixed: undefined };
}

/** What an HTTP request says, by its headers, then by its path. */
export function rolloutOfRequest(
  { task, id }: ResolvedRollouts,
  headers: Readonly<Record<string, unknown>>,
  [pathTask, pathId]: readonly string[],
): RolloutName {
  return { task: nameIn(headers[task.header]) ?? pathTask, id: nameIn(headers[id.header]) ?? pathId };
}

/** What a call says, and else the request that it came by. */
export function rolloutOf(
  { task, id }: ResolvedRollouts,
  params: unknown,
  request: RolloutName | undefined,
): RolloutName {
  const meta = recordIn(params, '_meta');
  return {
    task: nameIn(meta[task.meta]) ?? request?.task ?? task.fixed,
    id: nameIn(meta[id.meta]) ?? request?.id ?? id.fixed,
  };
}

function nameIn(value: unknown): string | undefined {
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  if (typeof value !== 'string' || value === '') return undefined;
  return value.length > longestName ? createHash('sha256').update(value).digest('hex') : value;
}
