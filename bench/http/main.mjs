/**
 * A 4.6 KB JSON response from a cache before Express and before a bare Node handler, beside a first middleware that ends
 * with the same bytes, and `apicache`. The load comes from this process, each server has its own; where there is `taskset`
 * the load has one core and the servers another. Rounds alternate.
 * `node bench/http/main.mjs [rounds] [seconds]`, then memory over 200,000 requests of 20,000 URLs.
 */

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';

const rounds = Number(process.argv[2] ?? 7);
const seconds = Number(process.argv[3] ?? 2);
const connections = 16;
const kinds = ['first', 'toolstash', 'apicache'];

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** What runs a program on a core, where the system has a way to say so. */
const onCore = hasTaskset() ? (core) => ['taskset', '-c', String(core)] : () => [];

function hasTaskset() {
  try {
    // The load's own: all threads of this process.
    execFileSync('taskset', ['-a', '-c', '-p', '1', String(process.pid)]);
    return true;
  } catch {
    return false;
  }
}

async function start(framework, kind) {
  const script = fileURLToPath(new URL('server.mjs', import.meta.url));
  const [command, ...args] = [...onCore(0), process.execPath, '--expose-gc', script, framework, kind];
  const child = spawn(command, args, {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    // As on a real server: `apicache` adds headers elsewhere.
    env: { ...process.env, NODE_ENV: 'production' },
  });
  const [{ port }] = await once(child, 'message');
  return { child, port };
}

/** What a server has used of its core, or its memory. */
async function usage({ child }, of) {
  child.send(of);
  const [used] = await once(child, 'message');
  return used;
}

/** Keeps connections busy, one request at a time each, until `isOver`; gives the microseconds that each took. */
async function load(port, pathOf, isOver) {
  const times = [];
  let count = 0;
  await Promise.all(
    Array.from({ length: connections }, async () => {
      const socket = connect(port, '127.0.0.1').setNoDelay(true);
      await once(socket, 'connect');
      await new Promise((resolve, reject) => {
        let [missing, head, began] = [0, '', 0n];
        const ask = () => {
          if (isOver(count)) return resolve(socket.end());
          began = process.hrtime.bigint();
          socket.write(`GET ${pathOf(count++)} HTTP/1.1\r\nHost: site.test\r\n\r\n`);
        };
        socket.on('error', reject);
        socket.on('data', (chunk) => {
          if (missing > 0) missing -= chunk.length;
          else {
            head += chunk.toString('latin1');
            const end = head.indexOf('\r\n\r\n');
            if (end < 0) return;
            const length = /content-length: (\d+)/i.exec(head)?.[1];
            if (!head.startsWith('HTTP/1.1 200') || length === undefined)
              reject(new Error(`Unexpected: ${head.slice(0, 300)}`));
            missing = Number(length) - (head.length - end - 4);
            head = '';
          }
          if (missing > 0) return;
          times.push(Number(process.hrtime.bigint() - began) / 1000);
          ask();
        });
        ask();
      });
    }),
  );
  return times;
}

const during = (ms) => {
  const end = Date.now() + ms;
  return () => Date.now() >= end;
};

console.log(
  `Node ${process.versions.node} · ${cpus().length} × ${cpus()[0]?.model} · ${new Date().toISOString().slice(0, 10)}`,
);
const shown = ['content-type', 'content-length', 'content-encoding', 'etag', 'cache-control', 'age'];
for (const framework of ['express', 'node']) {
  const servers = {};
  const bodies = new Set();
  for (const kind of kinds) {
    servers[kind] = await start(framework, kind);
    await load(servers[kind].port, () => '/items', during(1_000));
    const url = `http://127.0.0.1:${servers[kind].port}/items`;
    // This client names another host: the first answer is stored, the second is what is timed.
    await (await fetch(url)).text();
    const answer = await fetch(url);
    bodies.add(await answer.text());
    const headers = shown.flatMap((name) =>
      answer.headers.has(name) ? [`${name}: ${answer.headers.get(name)}`] : [],
    );
    console.log(`${framework}, ${kind}: ${headers.join(', ')}`);
  }
  if (bodies.size !== 1) throw new Error(`Expected one body, got ${bodies.size}`);
  const measured = Object.fromEntries(kinds.map((kind) => [kind, { perSecond: [], cpu: [], slowest: [] }]));
  for (let round = 0; round < rounds; round++) {
    for (const kind of round % 2 === 0 ? kinds : kinds.toReversed()) {
      const { perSecond, cpu, slowest } = measured[kind];
      const before = await usage(servers[kind], 'cpu');
      const times = await load(servers[kind].port, () => '/items', during(seconds * 1000));
      const after = await usage(servers[kind], 'cpu');
      perSecond.push(times.length / seconds);
      cpu.push((after.cpu - before.cpu) / times.length);
      slowest.push(times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)]);
    }
  }
  console.log(
    `\n### ${framework}\n\n| before the route | requests/s | × first | × apicache | CPU time, µs | first / it | apicache / it | p99, µs |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |`,
  );
  for (const kind of kinds) {
    const { perSecond, cpu, slowest } = measured[kind];
    const ratios = (of) =>
      ['first', 'apicache'].map((other) =>
        median(measured[other].cpu.map((_, at) => of(other, at))).toFixed(2),
      );
    const cells = [
      ...[kind, Math.round(median(perSecond))],
      ...ratios((other, at) => perSecond[at] / measured[other].perSecond[at]),
      median(cpu).toFixed(1),
      ...ratios((other, at) => measured[other].cpu[at] / cpu[at]),
      Math.round(median(slowest)),
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
  for (const { child } of Object.values(servers)) child.kill();
}

const server = await start('node', 'toolstash');
console.log(
  '\n### Memory: 200,000 requests of 20,000 URLs, 5,000 entries\n\n| requests | heap, MB | outside, MB | rss, MB |\n| ---: | ---: | ---: | ---: |',
);
for (let step = 1; step <= 5; step++) {
  await load(
    server.port,
    (at) => `/items?page=${at % 20_000}`,
    (count) => count >= 40_000,
  );
  const { heap, external, rss } = await usage(server, 'memory');
  console.log(
    `| ${step * 40_000} | ${(heap / 1e6).toFixed(1)} | ${(external / 1e6).toFixed(1)} | ${(rss / 1e6).toFixed(0)} |`,
  );
}
server.child.kill();
