/** JSON-RPC messages, as far as the relay looks at them. */

import { parseJson } from '../cli/lossless-json.js';
import { CacheError, messageOf } from '../errors.js';
import { type Answered, type AnswerNote, sourceField, withSource } from '../mcp/cached-calls.js';
import { isRecord } from '../mcp/mcp-client.js';
import { jsonText, memberText } from './json-text.js';

/** A message: its text, and what that says. */
export interface Message {
  readonly text: string;
  readonly value: Readonly<Record<string, unknown>>;
  /** Of the HTTP request that it came by, those that go on to the server. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** The ids of the requests in a batch. */
  readonly ids?: readonly unknown[];
}

/** The ids under which a message, or a batch of them, is to be answered. */
export function requestIds({ value, ids }: Message): readonly unknown[] {
  return ids ?? (kindOf(value) === 'request' ? [value['id']] : []);
}

/** What a text says: a message, or a batch. `undefined`: it is no JSON, or neither an object nor a list of objects. */
export type Messages = Message | readonly Message[] | undefined;

export function parsedMessages(text: string): Messages {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(value)) return isRecord(value) ? { text, value } : undefined;
  if (value.length === 0 || !value.every((each) => isRecord(each) && !Array.isArray(each))) return undefined;
  return value.map((each) => ({ text: jsonText(each), value: each }));
}

/** What a message is. */
export type MessageKind = 'request' | 'response' | 'notification' | 'other';

export function kindOf({ method, id, result, error }: Message['value']): MessageKind {
  const isNamed = typeof id === 'string' || typeof id === 'number' || typeof id === 'bigint';
  if (typeof method === 'string') return isNamed ? 'request' : id === undefined ? 'notification' : 'other';
  return isNamed && (result !== undefined || error !== undefined) ? 'response' : 'other';
}

/** Messages that change nothing a tool could read. What else there may be, of vendors say, is not known. */
export const harmless = new Set([
  ...[
    'initialize',
    'ping',
    'server/discover',
    'subscriptions/listen',
    'logging/setLevel',
    'completion/complete',
  ],
  ...[
    'tools/list',
    'prompts/list',
    'prompts/get',
    'resources/list',
    'resources/templates/list',
    'resources/read',
  ],
  ...['resources/subscribe', 'resources/unsubscribe', 'tasks/get', 'tasks/list', 'tasks/result'],
  ...['initialized', 'progress', 'cancelled', 'roots/list_changed', 'tasks/status'].map(
    (name) => `notifications/${name}`,
  ),
]);

/** Whether a value nests deeper than so many levels. */
export function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  for (const each of Object.values(value)) if (isDeeper(each, levels - 1)) return true;
  return false;
}

/** The params of a message, or an object in one. */
export function recordIn(value: unknown, name: string): Readonly<Record<string, unknown>> {
  const found = isRecord(value) ? value[name] : undefined;
  return isRecord(found) ? found : {};
}

/** Ids and progress tokens as keys of a map: `1` and `"1"` are two. */
export function idKey(id: unknown): string {
  return typeof id === 'string' ? `"${id}` : String(id);
}

/** An error that a server has answered with, or that stands for one. */
export class RpcError extends Error {
  /** As it is sent. */
  readonly error: unknown;
  readonly code: unknown;

  constructor(error: unknown, code: unknown = recordIn({ error }, 'error')['code']) {
    super(String(recordIn({ error }, 'error')['message'] ?? 'The server has answered with an error'));
    this.name = 'RpcError';
    this.error = error;
    this.code = code;
  }
}

/** The server is away: said to whoever waits for it, and to whoever asks for it meanwhile. */
export class ServerLostError extends RpcError {
  constructor(message: string) {
    super({ code: -32000, message }, 'CONNECTION_CLOSED');
    this.name = 'ServerLostError';
  }
}

/** An answer to a request. */
export function resultText(id: unknown, result: unknown): string {
  return `{"jsonrpc":"2.0","id":${jsonText(id)},"result":${jsonText(result)}}`;
}

/** The same, with a note of where it comes from. */
export function answeredText(id: unknown, answered: Answered): string {
  const { result, source } = answered;
  const isPlain = isRecord(result) && !Array.isArray(result) && !('_meta' in result);
  if (source === undefined || !isPlain) return resultText(id, withSource(answered));
  const text = jsonText(result);
  const rest = text === '{}' ? '{' : `${text.slice(0, -1)},`;
  const meta = `"_meta":{"${sourceField}":${sourceText(source)}}`;
  return `{"jsonrpc":"2.0","id":${jsonText(id)},"result":${rest}${meta}}}`;
}

/** Most are of names and numbers alone. */
function sourceText(source: AnswerNote): string {
  const { source: from, ageMs, isStale, key, approximate } = source;
  if (approximate !== undefined || key === undefined) return JSON.stringify(source);
  return `{"source":"${from}","ageMs":${ageMs},"isStale":${isStale},"key":"${key}"}`;
}

/** A failure as a request is answered with: what the server said, or why there is no answer. */
export function errorText(id: unknown, error: unknown): string {
  return `{"jsonrpc":"2.0","id":${jsonText(id)},"error":${jsonText(errorOf(error))}}`;
}

function errorOf(error: unknown): unknown {
  if (error instanceof RpcError) return error.error;
  const message = `toolstash: ${messageOf(error)}`;
  if (!(error instanceof CacheError)) return { code: -32603, message };
  // As the SDKs say that time is over.
  const code = error.code === 'ERR_LOADER_TIMEOUT' ? -32001 : -32000;
  return { code, message, data: { code: error.code } };
}

/** What is said to whom sends what is no message, under the id that can be made out. */
export function parseErrorText(text: string): string {
  return errorText(idIn(text), new RpcError({ code: -32700, message: 'Parse error: no JSON-RPC message' }));
}

function idIn(text: string): unknown {
  try {
    const id = parseJson(memberText(text, 'id') ?? 'null');
    return typeof id === 'object' ? null : id;
  } catch {
    return null;
  }
}
