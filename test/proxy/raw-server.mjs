/** A server of raw JSON-RPC, by hand: it says what it got, byte by byte, and does what tests ask for. */

import { once } from 'node:events';
import { closeSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

const [version = '1', prelude] = process.argv.slice(2);
if (prelude !== undefined) process.stdout.write(readFileSync(prelude));
const tool = (name, more = {}) => ({
  name,
  description: `version ${version}`,
  inputSchema: { type: 'object' },
  ...more,
});
const tools = [
  ...['count', 'wait', 'ask', 'fail', 'refuse', 'task', 'unfinished', 'progress', 'flood', 'die', 'big'].map(
    (name) => tool(name),
  ),
  tool('write', { annotations: { readOnlyHint: false } }),
  ...['get', 'put', 'put_slowly', 'list'].map((name) =>
    tool(name, { inputSchema: { type: 'object', properties: { key: {}, value: {} } } }),
  ),
];

const uri = process.env.RAW_RESOURCE;
/** A file with the version that it says it is of. */
const numberIn = process.env.RAW_VERSION;

let runs = 0;
/** What `put` has put, in a file where several processes have the same. */
const shared = process.env.RAW_STATE;
let own = {};
const stateOf = () => (shared ? (existsSync(shared) ? JSON.parse(readFileSync(shared, 'utf8')) : {}) : own);
const put = async ({ key, value, before = 0, after = 0 }) => {
  if (before > 0) await sleep(before);
  const state = { ...stateOf(), [key]: value };
  if (shared) writeFileSync(shared, JSON.stringify(state));
  else own = state;
  if (after > 0) await sleep(after);
  return text('put');
};
const received = [];
const waiting = [];
const asking = new Map();
const say = (message) =>
  process.stdout.write(`${typeof message === 'string' ? message : JSON.stringify(message)}\n`);

const handlers = {
  initialize: ({ protocolVersion }) => ({
    protocolVersion: process.env.RAW_REVISION ?? protocolVersion,
    capabilities: { tools: { listChanged: true }, ...(uri && { resources: { subscribe: true } }) },
    ...(uri && { instructions: `read ${uri}` }),
    serverInfo: { name: 'raw', version: numberIn ? readFileSync(numberIn, 'utf8') : version },
  }),
  'tools/list': () => ({ tools }),
  ping: () => ({}),
  ...(uri && {
    'resources/list': () => ({ resources: [{ uri, name: 'one' }] }),
    'resources/read': (params) => ({ contents: [{ uri: params.uri, text: `of ${version}` }] }),
  }),
  'test/received': () => ({ received }),
  'test/pid': () => ({ pid: process.pid }),
  'test/ask': ({ method, id }) =>
    new Promise((resolve) => {
      asking.set(id, resolve);
      say({ jsonrpc: '2.0', id, method, params: {} });
    }),
  'test/say': (message) => {
    say(message);
    return {};
  },
  'test/silence': () => undefined,
  // It reads no more, and lives.
  'test/stall': () => {
    setInterval(() => {}, 1_000);
    lines.pause();
    return {};
  },
  'test/deaf': () => {
    setInterval(() => {}, 1_000);
    process.stdin.destroy();
    closeSync(0);
    return {};
  },
  'test/go': () => {
    for (const go of waiting.splice(0)) go();
    return {};
  },
};

const text = (value, more) => ({ content: [{ type: 'text', text: String(value) }], ...more });
const calls = {
  count: (args) => text(`run ${++runs} ${JSON.stringify(args)}`, { vendor: { kept: [1, null] } }),
  write: () => text(`run ${++runs}`),
  fail: () => text(`run ${++runs}`, { isError: true }),
  task: () => ({ task: { taskId: `${++runs}`, status: 'working' } }),
  get: async ({ key, before = 0, after = 0 }) => {
    if (before > 0) await sleep(before);
    const found = text(stateOf()[key] ?? 'nothing');
    if (after > 0) await sleep(after);
    return found;
  },
  list: () => text(Object.keys(stateOf()).sort().join()),
  put,
  put_slowly: async ({ key, value }) => {
    await put({ key, value: 'half' });
    await new Promise((resolve) => waiting.push(resolve));
    return put({ key, value });
  },
  unfinished: () => ({ resultType: 'input_required', requestState: `${++runs}` }),
  wait: () => new Promise((resolve) => waiting.push(() => resolve(text(`run ${++runs}`)))),
  after: () => {
    setImmediate(() => say({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' }));
    return text('before');
  },
  // Much at once, of which it writes down how much has been taken.
  flood: async ({ count }, { progressToken } = {}) => {
    const message = 'x'.repeat(64 * 1024);
    for (let progress = 1; progress <= count; progress += 1) {
      if (progressToken === undefined)
        say({ jsonrpc: '2.0', method: 'notifications/message', params: { progress, data: message } });
      else
        say({
          jsonrpc: '2.0',
          method: 'notifications/progress',
          params: { progressToken, progress, message },
        });
      await put({ key: 'said', value: progress });
      if (process.stdout.writableNeedDrain) await once(process.stdout, 'drain');
    }
    return text('flooded');
  },
  die: () => process.kill(process.pid, 'SIGKILL'),
  ask: () =>
    new Promise((resolve) => {
      const id = `ask-${++runs}`;
      asking.set(id, ({ result }) => resolve(text(result.content.name)));
      say({ jsonrpc: '2.0', id, method: 'elicitation/create', params: { message: 'who?' } });
    }),
  progress: (_, { progressToken } = {}) => {
    if (progressToken !== undefined)
      say({ jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken, progress: 1 } });
    return text(`run ${++runs} ${progressToken === undefined ? 'untold' : 'told'}`);
  },
};

const lines = createInterface({ input: process.stdin });
lines.on('line', async (line) => {
  received.push(line);
  let message;
  try {
    message = JSON.parse(line);
  } catch {
    say('{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}');
    return;
  }
  if (Array.isArray(message))
    return say(message.filter((each) => each?.id !== undefined).map(({ id }) => ({ id, result: {} })));
  if (typeof message !== 'object' || message === null) return;
  const { id, method } = message;
  const params = typeof message.params === 'object' && message.params !== null ? message.params : {};
  if (method === undefined) return asking.get(id)?.(message);
  if (id === undefined) return;
  const refuse = (code, what, data) => say({ jsonrpc: '2.0', id, error: { code, message: what, data } });
  if (method === 'tools/call' && params.name === 'big') {
    say(
      `{"id":${JSON.stringify(id)}, "jsonrpc":"2.0", "result":{"content":[],"id":9007199254740993,"run":${++runs}}}`,
    );
    return;
  }
  if (method === 'tools/call' && params.name === 'refuse') return refuse(-32099, 'no', { run: ++runs });
  const table = method === 'tools/call' ? calls : handlers;
  const name = method === 'tools/call' ? params.name : method;
  if (!Object.hasOwn(table, name)) return refuse(-32601, 'Method not found');
  const result = await (table === calls
    ? calls[name](params.arguments, params._meta ?? {})
    : handlers[name](params));
  if (result !== undefined) say({ jsonrpc: '2.0', id, result });
});
