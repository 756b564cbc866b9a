/** Headers that say over again what a message says, for gateways on the way: both must agree. */

import type { IncomingHttpHeaders } from 'node:http';
import { kindOf, type Message, recordIn } from './message.js';

const versionField = 'io.modelcontextprotocol/protocolVersion';
const [versionHeader, methodHeader, nameHeader] = ['mcp-protocol-version', 'mcp-method', 'mcp-name'];
/** What a request is about, by its method, from 2026-07-28 on. */
const nameFields: Readonly<Record<string, string>> = {
  ...{ 'tools/call': 'name', 'prompts/get': 'name', 'resources/read': 'uri' },
  ...{ 'tasks/get': 'taskId', 'tasks/update': 'taskId', 'tasks/cancel': 'taskId' },
};

/** What is wrong with them; `undefined`: they agree, and where the revision demands them they are there. */
export function disagreement(headers: IncomingHttpHeaders, message: Message): string | undefined {
  const { value } = message;
  const params = recordIn(value, 'params');
  const version = recordIn(params, '_meta')[versionField];
  const said: Readonly<Record<string, unknown>> = {
    [versionHeader]: version,
    [methodHeader]: value['method'],
    [nameHeader]: params['name'] ?? params['uri'] ?? params[nameFields[value['method'] as string] ?? ''],
  };
  for (const name of [versionHeader, methodHeader, nameHeader]) {
    const [header, own] = [headers[name], said[name]];
    if (header !== undefined && own !== undefined && decoded(String(header)) !== own)
      return `the header ${name} and the body disagree`;
  }
  if (typeof version !== 'string' || version < '2026' || kindOf(value) !== 'request') return undefined;
  const isNamed = Object.hasOwn(nameFields, value['method'] as string) && said[nameHeader] !== undefined;
  const missing = [versionHeader, methodHeader, ...(isNamed ? [nameHeader] : [])].find(
    (name) => headers[name] === undefined,
  );
  return missing === undefined ? undefined : `the header ${missing} is missing, which ${version} demands`;
}

/** Those for a server, with those that the client has given. A client in front of several servers gives names with a prefix. */
export function routingHeaders({ value, headers }: Message): Readonly<Record<string, string>> | undefined {
  const params = recordIn(value, 'params');
  const version = recordIn(params, '_meta')[versionField];
  if (typeof version !== 'string') return headers;
  const { method } = value;
  const name = params['name'] ?? params['uri'];
  return {
    [versionHeader]: version,
    ...(typeof method === 'string' && { [methodHeader]: method }),
    ...headers,
    ...(typeof name === 'string' && { [nameHeader]: encoded(name) }),
  };
}

/** What is not of Latin letters stands there as base64. */
function decoded(text: string): string {
  const [, base64] = /^=\?base64\?(.*)\?=$/.exec(text) ?? [];
  return base64 === undefined ? text : Buffer.from(base64, 'base64').toString('utf8');
}

/** A value of a header, which holds visible ASCII only. */
function encoded(text: string): string {
  const isPlain = /^[!-~]([ -~]*[!-~])?$/.test(text) && !text.startsWith('=?base64?');
  return isPlain ? text : `=?base64?${Buffer.from(text).toString('base64')}?=`;
}
