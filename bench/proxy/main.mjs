/**
 * What the proxy costs: calls of a tool that does nothing, one at a time, by a client of the MCP SDK. On stdio: straight to the
 * server, through a process that copies bytes, through the proxy (no tool listed), and answered by it; the floor is a program that
 * answers with a text of its own. Rounds alternate.
 * `npm run build && node bench/proxy/main.mjs [rounds] [calls]`; with `--http`, the same over HTTP, in front of a program that answers
 * with a text of its own; with `--memory`, the proxy's memory over 100,000 calls.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, createServer, request } from 'node:http';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { McpServer } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { z } from 'zod';

const own = fileURLToPath(import.meta.url);
const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const { execPath } = process;
const quantile = (numbers, share) =>
  numbers.toSorted((a, b) => a - b)[Math.floor((numbers.length - 1) * share)];

const server = [execPath, own, 'server'];
const places = {
  direct: server,
  floor: [execPath, own, 'floor'],
  'raw pipe': [execPath, own, 'pipe'],
  'pass-through': [execPath, cli, 'proxy', '--', ...server],
  hit: [execPath, cli, 'proxy', '--tools', 'nothing', '--', ...server],
};

async function connect([command, ...args]) {
  const transport = new StdioClientTransport({ command, args, stderr: 'ignore' });
  const client = new Client({ name: 'bench', version: '1' });
  await client.connect(transport);
  return { client, pid: transport.pid };
}

const sourceOf = (result) => result._meta?.['toolstash/answer']?.source;

async function time({ client }, name, calls) {
  const times = [];
  for (let at = 0; at < calls; at += 1) {
    const began = performance.now();
    const result = await client.callTool({ name: 'nothing', arguments: {} });
    times.push(performance.now() - began);
    if (result.content[0].text !== 'done') throw new Error('Expected the answer of the tool');
    if ((sourceOf(result) === 'memory') !== (name === 'hit')) throw new Error(`Unexpected source of ${name}`);
  }
  return quantile(times, 0.5);
}

async function compare(rounds, calls, places, connect) {
  const open = {};
  for (const [name, place] of Object.entries(places)) open[name] = await connect(place);
  await open.hit.client.callTool({ name: 'nothing', arguments: {} });
  const medians = Object.fromEntries(Object.keys(places).map((name) => [name, []]));
  for (let round = -2; round < rounds; round += 1) {
    const names = Object.keys(places);
    for (let at = 0; at < names.length; at += 1) {
      const name = names[(at + round + 2) % names.length];
      const median = await time(open[name], name, calls);
      if (round >= 0) medians[name].push(median);
    }
  }
  console.log(`Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model}, ${new Date().toISOString()}`);
  console.log(
    `p50 of ${calls} calls, median of ${rounds} rounds; ratio to direct in the same round, with range`,
  );
  for (const [name, each] of Object.entries(medians)) {
    const ratios = each.map((median, round) => median / medians.direct[round]);
    const [ratio, least, most] = [0.5, 0, 1].map((share) => quantile(ratios, share).toFixed(2));
    console.log(`${name.padEnd(13)} ${quantile(each, 0.5).toFixed(3)} ms  ${ratio} (${least}–${most})`);
  }
  await Promise.all(Object.values(open).map(({ client }) => client.close()));
}

/** Where a child of ours listens. */
async function listening(args) {
  const child = spawn(execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const [said] = await once(child.stderr, 'data');
  child.stderr.resume();
  return { child, url: /http\S+/.exec(String(said))[0] };
}

const agent = new Agent({ keepAlive: true });

/** The status, headers and text of an answer. */
function post(url, headers, body) {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', agent, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve({ response, text }));
    });
    sent.on('error', reject).end(body);
  });
}

/** A client that costs little, over HTTP. */
async function connectHttp(url) {
  const headers = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  };
  let ids = 0;
  const ask = async (method, params) => {
    const body = JSON.stringify({ jsonrpc: '2.0', id: ++ids, method, params });
    const { response, text } = await post(url, headers, body);
    const session = response.headers['mcp-session-id'];
    if (session !== undefined) headers['mcp-session-id'] = session;
    return JSON.parse(text).result;
  };
  const protocolVersion = '2025-11-25';
  await ask('initialize', { protocolVersion, capabilities: {}, clientInfo: { name: 'bench', version: '1' } });
  const client = { callTool: (params) => ask('tools/call', params), close: async () => {} };
  return { client };
}

async function compareHttp(rounds, calls) {
  const folder = mkdtempSync(join(tmpdir(), 'toolstash-bench-'));
  const server = await listening([own, 'http-server']);
  const pipe = await listening([own, 'http-pipe', server.url]);
  const proxied = async (name, tools) => {
    const config = join(folder, `${name}.json`);
    writeFileSync(
      config,
      JSON.stringify({ servers: { nothing: { url: server.url, tools } }, listen: { port: 0 } }),
    );
    return listening([cli, 'proxy', '--config', config]);
  };
  const passing = await proxied('passing', {});
  const caching = await proxied('caching', { nothing: {} });
  const urls = { direct: server, 'raw pipe': pipe, 'pass-through': passing, hit: caching };
  try {
    const places = Object.fromEntries(Object.entries(urls).map(([name, { url }]) => [name, url]));
    await compare(rounds, calls, places, connectHttp);
  } finally {
    for (const { child } of Object.values(urls)) child.kill();
    agent.destroy();
    rmSync(folder, { recursive: true });
  }
}

/** As Linux tells it. */
const residentOf = (pid) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;

async function watchMemory() {
  const { client, pid } = await connect(places.hit);
  for (let calls = 0; calls <= 100_000; calls += 1) {
    await client.callTool({ name: 'nothing', arguments: { n: calls % 2_000 } });
    if (calls % 20_000 === 0) console.log(`after ${calls} calls: ${residentOf(pid).toFixed(0)} MiB`);
  }
  await client.close();
}

/** What a program answers that knows little. */
function answerTo(line) {
  const results = {
    initialize:
      '{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"nothing","version":"1"}}',
    'tools/list': '{"tools":[{"name":"nothing","inputSchema":{"type":"object"}}]}',
    'tools/call': '{"content":[{"type":"text","text":"done"}]}',
  };
  const { id, method } = JSON.parse(line);
  return id === undefined
    ? undefined
    : `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${results[method] ?? '{}'}}`;
}

if (process.argv[2] === 'server') {
  serveStdio(() => {
    const made = new McpServer({ name: 'nothing', version: '1' });
    made.registerTool('nothing', { inputSchema: z.looseObject({}) }, () => ({
      content: [{ type: 'text', text: 'done' }],
    }));
    return made;
  });
} else if (process.argv[2] === 'floor') {
  let rest = '';
  process.stdin.setEncoding('utf8').on('data', (chunk) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop();
    for (const line of lines) {
      const answer = answerTo(line);
      if (answer !== undefined) process.stdout.write(`${answer}\n`);
    }
  });
} else if (process.argv[2] === 'http-server' || process.argv[2] === 'http-pipe') {
  const answered = (body, response) => {
    const answer = answerTo(body);
    if (answer === undefined) response.writeHead(202).end();
    else response.writeHead(200, { 'content-type': 'application/json' }).end(answer);
  };
  const made = createServer((incoming, response) => {
    if (process.argv[2] === 'http-pipe') {
      const { method, headers } = incoming;
      const onward = request(process.argv[3], { method, headers, agent }, (answer) => {
        response.writeHead(answer.statusCode, answer.headers);
        answer.pipe(response);
      });
      incoming.pipe(onward);
      return;
    }
    let body = '';
    incoming.setEncoding('utf8').on('data', (chunk) => {
      body += chunk;
    });
    incoming.on('end', () =>
      incoming.method === 'POST' ? answered(body, response) : response.writeHead(405).end(),
    );
  });
  made.listen(0, '127.0.0.1', () => console.error(`http://127.0.0.1:${made.address().port}/mcp`));
} else if (process.argv[2] === 'pipe') {
  const child = spawn(server[0], server.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] });
  process.stdin.pipe(child.stdin);
  child.stdout.pipe(process.stdout);
} else if (process.argv.includes('--memory')) await watchMemory();
else {
  const [rounds = 9, calls = 1_000] = process.argv
    .slice(2)
    .filter((each) => /^\d+$/.test(each))
    .map(Number);
  if (process.argv.includes('--http')) await compareHttp(rounds, calls);
  else await compare(rounds, calls, places, connect);
}
