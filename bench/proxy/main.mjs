/**
 * What the proxy costs: calls of a tool that does nothing, one at a time, by a client of the MCP SDK. On stdio: straight to the
 * server, through a process that copies bytes, through the proxy (no tool listed), and answered by it. Rounds alternate.
 * `npm run build && node bench/proxy/main.mjs [rounds] [calls]`; with `--memory`, the proxy's memory over 100,000 calls.
 */

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
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

async function compare(rounds, calls) {
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

if (process.argv[2] === 'server') {
  serveStdio(() => {
    const made = new McpServer({ name: 'nothing', version: '1' });
    made.registerTool('nothing', { inputSchema: z.looseObject({}) }, () => ({
      content: [{ type: 'text', text: 'done' }],
    }));
    return made;
  });
} else if (process.argv[2] === 'pipe') {
  const child = spawn(server[0], server.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] });
  process.stdin.pipe(child.stdin);
  child.stdout.pipe(process.stdout);
} else if (process.argv.includes('--memory')) await watchMemory();
else await compare(Number(process.argv[2] ?? 9), Number(process.argv[3] ?? 1_000));
