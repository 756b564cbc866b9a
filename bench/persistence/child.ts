/** One step of one contender in a process of its own, so that memory and start are its own too. */

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { contenders } from './contenders.js';
import { Spent } from './spent.js';
import { seeded, textOf } from './texts.js';

const [step = '', name = '', folder = '', entriesText = '0', bytesText = '0'] = process.argv.slice(2);
const entries = Number(entriesText);
const bytes = Number(bytesText);
const open = contenders[name]!;
const startMemory = process.memoryUsage().rss;
const result: Record<string, number> = {};
const random = seeded(99);

switch (step) {
  case 'write': {
    const spent = new Spent();
    const store = await open(folder);
    for (let from = 0; from < entries; from += 4_000) {
      const count = Math.min(4_000, entries - from);
      spent.pause();
      const texts = Array.from({ length: count }, (_, at) => textOf(from + at, bytes));
      spent.goOn();
      for (const [at, text] of texts.entries()) {
        const taken = store.set(from + at, text);
        if (taken !== undefined) await taken;
      }
      await store.flush();
    }
    Object.assign(result, spent.result());
    await store.close();
    break;
  }
  case 'open': {
    const spent = new Spent();
    const store = await open(folder);
    const number = Math.floor(entries / 3);
    const text = await store.get(number);
    Object.assign(result, spent.result());
    assertSame(text, number);
    result['rss'] = process.memoryUsage().rss;
    result['added'] = result['rss'] - startMemory;
    await store.close();
    break;
  }
  case 'load': {
    const spent = new Spent();
    const store = await open(folder);
    const count = await store.loadAll();
    Object.assign(result, spent.result());
    if (count !== entries) throw new Error(`Expected ${entries} entries, got ${count}`);
    await store.close();
    break;
  }
  case 'lookup': {
    const store = await open(folder);
    const lookups = 2_000;
    for (let at = 0; at < 200; at += 1) await store.get(Math.floor(random() * entries));
    const numbers = Array.from({ length: lookups }, () => Math.floor(random() * entries));
    const texts: (string | undefined)[] = [];
    const spent = new Spent();
    for (const number of numbers) texts.push(await store.get(number));
    const { ms, cpuMs } = spent.result();
    result['us'] = (ms * 1_000) / lookups;
    result['cpuUs'] = (cpuMs * 1_000) / lookups;
    for (const [at, number] of numbers.entries()) assertSame(texts[at], number);
    await store.close();
    break;
  }
  case 'delay': {
    // 5,000 sets a second for 6 s in slices of 10 ms, with and without anything that is written.
    const store = name === 'nothing' ? undefined : await open(folder);
    const histogram = monitorEventLoopDelay({ resolution: 1 });
    histogram.enable();
    const texts = Array.from({ length: 500 }, (_, number) => textOf(number, bytes));
    let number = 0;
    const begun = performance.now();
    while (performance.now() - begun < 6_000) {
      const due = ((performance.now() - begun) / 1_000) * 5_000;
      for (; number < due; number += 1) void store?.set(number, texts[number % texts.length]!);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    histogram.disable();
    result['p99'] = histogram.percentile(99) / 1e6;
    result['max'] = histogram.max / 1e6;
    await store?.flush();
    await store?.close();
    break;
  }
  default:
    throw new Error(`Unknown step ${step}`);
}
result['peak'] = process.resourceUsage().maxRSS * 1_024;
console.log(JSON.stringify(result));

function assertSame(text: string | undefined, number: number): void {
  if (text !== textOf(number, bytes)) throw new Error(`${name} answered entry ${number} wrongly`);
}
