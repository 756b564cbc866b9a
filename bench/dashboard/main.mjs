/**
 * How long `toolstash dashboard` takes to show a folder of a million entries in a real browser, from the start of its process until the
 * figures are on the page, and the most memory that the process takes. `npm run build && node bench/dashboard/main.mjs [rounds] [entries]`,
 * 5 and a million by default. Needs Chromium: `/usr/bin/chromium`, or the one that TOOLSTASH_CHROMIUM names.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { CacheManager } from '../../dist/index.js';

const [rounds = 5, entries = 1_000_000] = process.argv.slice(2).map(Number);
const methods = 10;
const script = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const executablePath = process.env.TOOLSTASH_CHROMIUM ?? '/usr/bin/chromium';
const median = (numbers) => numbers.toSorted((a, b) => a - b)[(numbers.length - 1) >> 1];
const shown = new Intl.NumberFormat('en-US').format(entries);

async function fill(folder) {
  const cache = await CacheManager.open({ persist: true, persistDir: folder, maxSize: 1000 });
  for (let id = 0; id < entries; id += 1)
    await cache.set(`tool ${id % methods}`, { query: `query ${id}` }, { rows: [`alpha ${id}`, 'beta'], id });
  await cache.close();
}

/** Of the process: CPU time in ms, and the most resident memory in MiB. */
function spent(pid) {
  const [user, system] = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
    .slice(11, 13);
  const [, kilobytes] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return { cpu: 10 * (Number(user) + Number(system)), peak: kilobytes / 1024 };
}

async function open(folder, browser) {
  const page = await browser.newPage();
  const began = performance.now();
  const child = spawn(process.execPath, [script, 'dashboard', folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const [line] = await once(child.stdout.setEncoding('utf8'), 'data');
    const listening = performance.now() - began;
    await page.goto(line.trim());
    const card = page.locator('[data-figure="Entries on disk"]').filter({ hasText: shown });
    await card.waitFor({ timeout: 120_000 });
    const took = performance.now() - began;
    // What is counted in the background counts too.
    await new Promise((resolve) => setTimeout(resolve, 3000));
    return { listening, took, ...spent(child.pid) };
  } finally {
    child.kill('SIGINT');
    await once(child, 'exit');
    await page.close();
  }
}

const folder = mkdtempSync(join(tmpdir(), 'toolstash-bench-'));
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
try {
  await fill(folder);
  console.log(`${shown} entries, Node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model}`);
  const seen = [];
  for (let round = 0; round < rounds; round += 1) {
    const { listening, took, cpu, peak } = await open(folder, browser);
    seen.push({ took, peak });
    console.log(
      `address after ${Math.round(listening)} ms, figures after ${Math.round(took)} ms, CPU ${cpu} ms, peak ${Math.round(peak)} MiB, load ${loadavg()[0].toFixed(1)}`,
    );
  }
  console.log(
    `median: figures after ${Math.round(median(seen.map(({ took }) => took)))} ms (aim 2,000), peak ${Math.round(median(seen.map(({ peak }) => peak)))} MiB (aim 250)`,
  );
} finally {
  await browser.close();
  rmSync(folder, { recursive: true });
}
