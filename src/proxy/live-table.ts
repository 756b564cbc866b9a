/** What a cache does for a proxy, on a terminal, renewed in place. */

import type { CacheManager, CacheOptions } from '../index.js';
import { definedOnly } from '../option-checks.js';
import { defaultOptions } from '../options.js';
import { paintFor } from '../report/paint.js';
import { formatStatsReport } from '../report/stats-report.js';

/** How often, in ms. */
const interval = 1_000;

/** Shows it until it is stopped, if the stream is a terminal; the last figures stay. */
export function startTable(
  cache: Pick<CacheManager, 'stats' | 'methods'>,
  options: Pick<CacheOptions, 'maxSize' | 'maxBytes' | 'eviction'>,
  stream: NodeJS.WriteStream,
): () => void {
  if (!stream.isTTY || process.env['TERM'] === 'dumb') return () => {};
  const paint = paintFor(stream);
  const { maxSize, maxBytes, eviction } = { ...defaultOptions, ...definedOnly(options) };
  const bounds = { maxSize, maxBytes, eviction: eviction as string };
  let shown = '';
  const show = () => {
    const byTool = new Map(cache.methods().map((name) => [name, cache.stats(name)]));
    const report = { stats: cache.stats(), byTool, verified: [], cache: bounds };
    const text = formatStatsReport(report, { width: stream.columns, paint });
    if (text === shown) return;
    // Up to where it began, and away with all below: what a server has written meanwhile too.
    const lines = shown.split('\n').length - 1;
    stream.write(`${lines > 0 ? `\u{1b}[${lines}F\u{1b}[J` : ''}${text}`);
    shown = text;
  };
  show();
  const timer = setInterval(show, interval).unref();
  return () => {
    clearInterval(timer);
    show();
  };
}
