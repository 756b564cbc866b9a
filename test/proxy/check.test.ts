import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runProgram } from '../../src/cli/program.js';
import { rawServer } from './raw-client.js';

async function check(tools: string, program: readonly string[]) {
  return run(['--ttl', '5m', '--tools', tools, '--', ...program]);
}

async function run(flags: readonly string[]) {
  const text = { out: '', err: '' };
  const stream = (to: keyof typeof text) =>
    ({ write: (more: string) => (text[to] += more) }) as unknown as NodeJS.WriteStream;
  const exitCode = await runProgram(['proxy', '--check', ...flags], {
    stdout: stream('out'),
    stderr: stream('err'),
  });
  return { exitCode, ...text };
}

it('says of each tool what will happen and why', async () => {
  const { exitCode, out } = await check('co*,w*', [process.execPath, rawServer]);
  expect(exitCode).toBe(0);
  expect(out).toContain('server: raw 1, MCP 2025-11-25\n');
  expect(out).toContain('  ✓ count       cached: ttl "5m"\n');
  expect(out).toContain('  ✓ wait        cached: ttl "5m"\n');
  expect(out).toContain('  · write       passes: its server says readOnlyHint: false\n');
  expect(out).toContain('  · big         passes: no rule lists it\n');
});

it('tells of rules that do nothing, and of a server that can not be started, with exit code 1', async () => {
  const misspelt = await check('cuont', [process.execPath, rawServer]);
  expect(misspelt).toMatchObject({
    exitCode: 1,
    out: expect.stringMatching(/✗ No tool is called `cuont`.*`count`\?/),
  });
  const vetoed = await check('write', [process.execPath, rawServer]);
  expect(vetoed).toMatchObject({
    exitCode: 1,
    out: expect.stringContaining('✗ The rule of `write` does nothing'),
  });
  const missing = await check('a', ['no-such-program']);
  expect(missing).toMatchObject({
    exitCode: 1,
    out: expect.stringContaining('✗ toolstash: the server `server` has ended'),
  });
});

it('takes no request of the server for an answer', async () => {
  const program = `
    let asked = 0;
    const say = (message) => console.log(JSON.stringify({ jsonrpc: '2.0', ...message }));
    require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
      const { id, method } = JSON.parse(line);
      if (id === undefined) return;
      say({ id: (asked += 1), method: 'ping' });
      const welcome = { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: { name: 'p', version: '1' } };
      say({ id, result: method === 'initialize' ? welcome : { tools: [{ name: 'a', inputSchema: {} }] } });
    });`;
  const { exitCode, out } = await check('a', [process.execPath, '-e', program]);
  expect(out).toContain('✓ a  cached');
  expect(exitCode).toBe(0);
});

it('says what tools read and write, whose their answers are, and which arguments they do not have', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'toolstash-proxy-'));
  const config = join(folder, 'proxy.json');
  const tools = {
    get: { effect: { reads: ['state:{name}'] }, ttl: '5m', scope: 'rollout' },
    put: { effect: { reads: ['cwd'], writes: ['state:{key}'] } },
    count: { effect: 'opaque' },
    wait: { samples: 2 },
  };
  await writeFile(
    config,
    JSON.stringify({ servers: { raw: { command: process.execPath, args: [rawServer], tools } } }),
  );
  const { exitCode, out } = await run(['--config', config]);
  expect(out).toContain('  ✓ get         cached: reads state:{name}, scope "rollout", ttl "5m"\n');
  expect(out).toContain('  · put         passes: reads cwd, writes state:{key}\n');
  expect(out).toContain('  · count       passes: by its effect it changes nothing\n');
  expect(out).toContain('  ✓ wait        cached: samples 2\n');
  expect(out).toContain('  · big         passes: no rule lists it, so it may change everything\n');
  expect(out).toContain('  ✗ `effect` of `get` names an argument `name`, which the tool does not have\n');
  expect(exitCode).toBe(1);
  await rm(folder, { recursive: true });
});
