// The page of the dashboard, in parts that `page.ts` puts together. Every text goes in as text: names and values are anybody's.

const byId = (id) => document.getElementById(id);
const embedded = byId('figures');
// As it stands there: `+`, `%` and `&` are characters of tokens too.
const token = location.hash.replace(/^#token=/, '');
const count = new Intl.NumberFormat('en-US');
const colors = ['#2f7de1', '#d9822b', '#2e9e5b', '#a04bd0', '#d0456b'];
/** Points of the charts that are kept. */
const mostPoints = 600;
/** Methods with a line of their own. */
const mostLines = 4;

function element(name, text, options = {}) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  for (const [key, value] of Object.entries(options)) made[key] = value;
  return made;
}

function formatShare(part, whole) {
  if (!(whole > 0) || !(part > 0)) return '0 %';
  if (part === whole) return '100 %';
  return `${Math.min(99.9, Math.max(0.1, (part / whole) * 100)).toFixed(1)} %`;
}

function formatBytes(bytes) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  const amount = bytes / 1024 ** power;
  return `${Number.isInteger(amount) || amount >= 100 ? Math.round(amount) : amount.toFixed(1)} ${units[power]}`;
}

/** Above it hours would have more digits than anybody reads. */
const longestMs = 1e15;

function formatMs(ms) {
  if (!(ms < longestMs)) return Number.isFinite(ms) ? '> 31,000 years' : '–';
  if (ms > 0 && ms < 0.1) return `${(ms * 1000).toFixed(1)} µs`;
  if (ms > 0 && ms < 10) return `${ms.toFixed(2)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `${minutes} m ${seconds % 60} s`
    : `${count.format(Math.floor(minutes / 60))} h ${minutes % 60} m`;
}

const formatTime = (ms) =>
  typeof ms === 'number' ? new Date(ms).toISOString().slice(0, 19).replace('T', ' ') : '';

/** As `toolstash report` counts them: `lookups` are those that `hitRate` is of, `calls` those without a key too. */
function callsOf(stats) {
  const hits = stats.hits + stats.staleHits - stats.staleIfErrors - stats.softTimeouts;
  const lookups = hits + stats.coalesced + stats.misses;
  return { lookups, calls: lookups + stats.uncached };
}
