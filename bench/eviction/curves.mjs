/**
 * Draws hit rates by size as one small SVG, from what `toolstash simulate <trace> --json` has printed:
 * node bench/eviction/curves.mjs rollouts.json loops.json > curves.svg
 */

import { readFileSync } from 'node:fs';

const colours = {
  lru: '#1f77b4',
  sieve: '#d62728',
  's3-fifo': '#9467bd',
  'w-tinylfu': '#2ca02c',
  auto: '#ff7f0e',
};
const [width, height, left, top] = [300, 180, 34, 24];

const plots = process.argv.slice(2).map((path) => JSON.parse(readFileSync(path, 'utf8')));
const svg = plots.map(({ trace, sizes }, index) => {
  const most = Math.max(...sizes.map(({ optimum }) => optimum.hitRate), 0.01);
  const x = (at) => left + (at * (width - left - 8)) / Math.max(1, sizes.length - 1);
  const y = (rate) => top + (1 - rate / most) * (height - top - 20);
  const line = (rates, style) =>
    `<polyline fill="none" ${style} points="${rates.map((rate, at) => `${x(at).toFixed(1)},${y(rate).toFixed(1)}`).join(' ')}"/>`;
  const rateOf = (name) =>
    sizes.map(({ policies }) => policies.find(({ eviction }) => eviction === name)?.hitRate ?? 0);
  const labels = sizes.map(
    ({ maxSize, maxBytes }, at) =>
      `<text x="${x(at)}" y="${height - 6}" text-anchor="middle">${maxSize ?? maxBytes}</text>`,
  );
  return [
    `<g transform="translate(${index * width} 0)"><text x="${left}" y="14">${trace.name.replace(/^.*\//, '')}</text>`,
    `<text x="${left - 4}" y="${y(most) + 4}" text-anchor="end">${Math.round(100 * most)} %</text>`,
    line(
      sizes.map(({ optimum }) => optimum.hitRate),
      'stroke="#999" stroke-dasharray="3 3"',
    ),
    ...Object.entries(colours).map(([name, colour]) =>
      line(rateOf(name), `stroke="${colour}" stroke-width="1.5"`),
    ),
    ...labels,
    '</g>',
  ].join('\n');
});
const legend = [...Object.entries(colours), ['optimum', '#999']].map(
  ([name, colour], at) => `<text x="${left + at * 80}" y="${height + 14}" fill="${colour}">${name}</text>`,
);
console.log(
  `<svg xmlns="http://www.w3.org/2000/svg" width="${plots.length * width}" height="${height + 22}" font-family="sans-serif" font-size="10">\n<title>Hit rate by capacity of each eviction policy</title>\n<rect width="100%" height="100%" fill="#fff"/>\n${[...svg, ...legend].join('\n')}\n</svg>`,
);
