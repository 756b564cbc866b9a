/** Headers that say over again what a message says, for gateways on the way: both must agree. */

import type { IncomingHttpHeaders } from 'node:http';
import { type Message, recordIn } from './message.js';

/** The header in which they do not; `undefined`: they agree, or the header is not there. */
export function disagreement(headers: IncomingHttpHeaders, { value }: Message): string | undefined {
  const params = recordIn(value, 'params');
  const said = {
    'mcp-protocol-version': recordIn(params, '_meta')['io.modelcontextprotocol/protocolVersion'],
    'mcp-method': value['method'],
    'mcp-name': params['name'] ?? params['uri'],
  };
  const found = Object.entries(said).find(
    ([name, own]) =>
      headers[name] !== undefined && own !== undefined && decoded(String(headers[name])) !== own,
  );
  return found?.[0];
}

/** What is not of Latin letters stands there as base64. */
function decoded(text: string): string {
  const [, base64] = /^=\?base64\?(.*)\?=$/.exec(text) ?? [];
  return base64 === undefined ? text : Buffer.from(base64, 'base64').toString('utf8');
}
