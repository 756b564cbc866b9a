/** A call of an MCP tool, as `callTool` of either version is given it. */

import { randomUUID } from 'node:crypto';
import { definedOnly } from '../option-checks.js';
import { hintAgainst } from '../tools/hints.js';
import type { Connection } from './connection.js';
import { isRecord, type McpTool } from './mcp-client.js';

/** What is known of a call, by the arguments of version 1, `(params, schema?, options?)`, or 2, `(params, options?)`. */
export interface CallShape {
  readonly name: string;
  readonly args: unknown;
  readonly given: readonly unknown[];
  /** Where in `given` the options are. */
  readonly at: number;
  readonly options: Readonly<Record<string, unknown>>;
}

/** What may be among the params and options of a call that can be cached. With anything else it means more than it says. */
const plainParams = ['name', 'arguments', '_meta'];
const plainOptions = ['signal', 'onprogress', 'timeout', 'maxTotalTimeout', 'resetTimeoutOnProgress'];

/** `undefined`: the call is none that could be cached, such as one with answers to what the server asked. */
export function callShape(given: readonly unknown[]): CallShape | undefined {
  const [params, second] = given;
  if (!isRecord(params) || typeof params['name'] !== 'string') return undefined;
  const at = given.length > 2 || isSchema(second) ? 2 : 1;
  const options = given[at] ?? {};
  if (!isRecord(options) || !hasOnly(params, plainParams) || !hasOnly(options, plainOptions))
    return undefined;
  return { name: params['name'], args: params['arguments'] ?? {}, given, at, options };
}

/** Where the answer to a call is found, if that depends on more than the call. */
export interface CallPlace {
  /** Becomes part of the key. */
  readonly key: string;
  /** Whether what it depends on may have changed since. */
  isPast(): boolean;
}

/** What makes the key besides the arguments; of this call alone, which adds to it. */
export type CallIdentity = Record<string, unknown>;

/** What a call is made from. */
export interface ToolCallInit {
  readonly shape: CallShape;
  readonly connection: Connection;
  /** The connection's incidents when the call began. */
  readonly incidents: number;
  readonly identity: CallIdentity;
  readonly place?: CallPlace | undefined;
}

/** A call under way. */
export class ToolCall {
  /** Whether this call went to the server, and did not just wait for another. */
  hasRun = false;
  /** Whether the result is one for others too, as far as the result tells. */
  isComplete = true;
  readonly shape: CallShape;
  readonly #connection: Connection;
  readonly #incidents: number;
  readonly #identity: CallIdentity;
  readonly #place: CallPlace | undefined;

  constructor({ shape, connection, incidents, identity, place }: ToolCallInit) {
    this.#place = place;
    this.shape = shape;
    this.#connection = connection;
    this.#incidents = incidents;
    this.#identity = identity;
  }

  get signal(): AbortSignal | undefined {
    return this.shape.options['signal'] as AbortSignal | undefined;
  }

  /** Whether the result is this caller's alone. */
  get isPrivate(): boolean {
    const isItsOwn = !this.isComplete || this.#connection.incidents !== this.#incidents;
    return isItsOwn || this.#place?.isPast() === true;
  }

  /** What makes the key. Calls with other timeouts are others, so that nobody waits longer than he said. */
  params(key: ((...args: readonly unknown[]) => unknown) | undefined): object {
    const { given, at, args, options } = this.shape;
    const { timeout, maxTotalTimeout, resetTimeoutOnProgress } = options;
    const schema = at === 2 && isSchema(given[1]) ? idOf(given[1]) : undefined;
    const own = this.#identity;
    own['arguments'] = key === undefined ? args : key(args, given[0]);
    if (this.#place !== undefined) own['place'] = this.#place.key;
    const rest = schema ?? timeout ?? maxTotalTimeout ?? resetTimeoutOnProgress;
    if (rest === undefined) return own;
    return { ...own, ...definedOnly({ schema, timeout, maxTotalTimeout, resetTimeoutOnProgress }) };
  }

  /** The arguments of `callTool` under another signal. */
  givenUnder(signal: AbortSignal | undefined): readonly unknown[] {
    const { given, at, options } = this.shape;
    return signal === undefined ? given : Object.assign([...given], { [at]: { ...options, signal } });
  }
}

/** Why a tool is not to be cached by what its server says of it; `undefined`: nothing speaks against it. */
export function vetoOf({ annotations = {}, execution }: McpTool): string | undefined {
  const against = hintAgainst(annotations);
  if (against !== undefined) return against;
  return execution?.taskSupport === 'required' ? "taskSupport: 'required'" : undefined;
}

/**
 * Whether an error is of the one who asked, and not of the call: its client gave up by its own clock (code -32001 of version
 * 1, `REQUEST_TIMEOUT` of 2), or lost its connection (`CONNECTION_CLOSED` of 2; -32000 of 1 is said by servers too).
 */
export function isOfItsCaller(error: unknown): boolean {
  if (!isRecord(error)) return false;
  return [-32001, 'REQUEST_TIMEOUT', 'CONNECTION_CLOSED'].includes(error['code'] as string);
}

function hasOnly(value: Readonly<Record<string, unknown>>, names: readonly string[]): boolean {
  for (const name in value) if (value[name] !== undefined && !names.includes(name)) return false;
  return true;
}

/** A schema of version 1: what it makes of a result depends on it. */
function isSchema(value: unknown): value is object {
  return isRecord(value) && (typeof value['safeParse'] === 'function' || value['_zod'] !== undefined);
}

const ids = new WeakMap<object, string>();

/** Of this process alone: what a schema does can't be read from it. */
function idOf(schema: object): string {
  const id = ids.get(schema) ?? randomUUID();
  ids.set(schema, id);
  return id;
}
