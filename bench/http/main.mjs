/**
 * A 4.6 KB JSON response from a cache before Express and before a bare Node handler, beside a first middleware that ends
 * with the same bytes, and `apicache`. The load comes from this process, each server has its own; rounds alternate.
 * `node bench/http/main.mjs [rounds] [seconds]`, then memory over 200,000 requests of 20,000 URLs.
 */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';

const rounds = Number(process.argv[2] ?? 7);
const seconds = Number(process.argv[3] ?? 2);
const connections = 16;
const kinds = ['first', 'toolstash', 'apicache'];

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

async function start(framework, kind) {
  const child = fork(fileURLToPath(new URL('server.mjs', import.meta.url)), [framework, kind], {
    execArgv: ['--expose-gc'],
  });
  const [{ port }] = await once(child, 'message');
  return { child, port };
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
for (const framework of ['express', 'node']) {
  const servers = {};
  for (const kind of kinds) {
    servers[kind] = await start(framework, kind);
    await load(servers[kind].port, () => '/items', during(1_000));
  }
  const perSecond = Object.fromEntries(kinds.map((kind) => [kind, []]));
  const slowest = Object.fromEntries(kinds.map((kind) => [kind, []]));
  for (let round = 0; round < rounds; round++) {
    for (const kind of round % 2 === 0 ? kinds : kinds.toReversed()) {
      const times = await load(servers[kind].port, () => '/items', during(seconds * 1000));
      perSecond[kind].push(times.length / seconds);
      slowest[kind].push(times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)]);
    }
  }
  console.log(
    `\n### ${framework}\n\n| before the route | requests/s | × first | × apicache | p99, µs |\n| --- | ---: | ---: | ---: | ---: |`,
  );
  for (const kind of kinds) {
    const ratio = (other) =>
      median(perSecond[kind].map((each, at) => each / perSecond[other][at])).toFixed(2);
    console.log(
      `| ${kind} | ${Math.round(median(perSecond[kind]))} | ${ratio('first')} | ${ratio('apicache')} | ${Math.round(median(slowest[kind]))} |`,
    );
  }
  for (const { child } of Object.values(servers)) child.kill();
}

const { child, port } = await start('node', 'toolstash');
console.log(
  '\n### Memory: 200,000 requests of 20,000 URLs, 5,000 entries\n\n| requests | heap, MB | rss, MB |\n| ---: | ---: | ---: |',
);
for (let step = 1; step <= 5; step++) {
  await load(
    port,
    (at) => `/items?page=${at % 20_000}`,
    (count) => count >= 40_000,
  );
  child.send('memory');
  const [{ heap, rss }] = await once(child, 'message');
  console.log(`| ${step * 40_000} | ${(heap / 1e6).toFixed(1)} | ${(rss / 1e6).toFixed(0)} |`);
}
child.kill();
