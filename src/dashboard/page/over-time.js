// The charts.

/** A line for all and one for each of some methods. */
class Chart {
  /** Methods of the lines; '' is all of them. */
  names = [];
  data = [[]];

  constructor(place) {
    const size = () => ({ width: Math.max(200, place.clientWidth), height: 200 });
    const axis = {
      stroke: () => getComputedStyle(byId('status')).color,
      grid: { stroke: '#8884', width: 1 },
      ticks: { stroke: '#8884' },
    };
    this.plot = new uPlot(
      {
        ...size(),
        scales: { y: { range: (_plot, _low, high) => [0, Math.max(1, high * 1.05)] } },
        axes: [axis, { ...axis, size: 60 }],
        series: [{}],
        legend: { live: false },
      },
      this.data,
      place,
    );
    new ResizeObserver(() => this.plot.setSize(size())).observe(place);
  }

  /** Begins lines where names are new; the others keep their past. */
  setNames(names) {
    for (const [at, name] of names.entries()) {
      if (this.names[at] === name) continue;
      if (at < this.names.length) this.plot.delSeries(at + 1);
      const width = at === 0 ? 2 : 1.25;
      this.plot.addSeries(
        { label: name || 'all methods', stroke: colors[at], width, spanGaps: true },
        at + 1,
      );
      this.names[at] = name;
      this.data[at + 1] = this.data[0].map(() => null);
    }
  }

  add(time, values) {
    this.data[0].push(time / 1000);
    for (const [at, value] of values.entries()) this.data[at + 1].push(value);
    if (this.data[0].length > mostPoints) for (const each of this.data) each.shift();
    this.plot.setData(this.data);
  }
}

let charts;
let before;
/** What was before the page was opened, until it is drawn. */
let past = [];

/** The methods with most calls. A line stays while its method is among twice as many: they change places all the time. */
function linesOf(shown, methods) {
  const [most, near] = [mostLines, 2 * mostLines].map((length) =>
    methods.slice(0, length).map(({ name }) => name),
  );
  const others = most.filter((name) => !shown.includes(name));
  const kept = shown.map((name) => (near.includes(name) ? name : (others.shift() ?? name)));
  return [...kept, ...others].slice(0, mostLines);
}

/** A point for each chart and method, of what happened between two moments. */
function pointsOf(now, then, elapsed) {
  if (!now || !then) return {};
  const [a, b] = [callsOf(now), callsOf(then)];
  const calls = a.calls - b.calls;
  const lookups = a.lookups - b.lookups;
  // By the rate itself, which knows that a call that joined a failing load was answered by none.
  const fromCache = now.hitRate * a.lookups - then.hitRate * b.lookups;
  const loads = now.loadTime.count - then.loadTime.count;
  const loadMs = now.loadTime.count * now.loadTime.mean - then.loadTime.count * then.loadTime.mean;
  return {
    rate: lookups > 0 ? Math.max(0, Math.min(100, (100 * fromCache) / lookups)) : null,
    calls: Math.max(0, (1000 * calls) / elapsed),
    loads: loads > 0 ? Math.max(0, loadMs / loads) : null,
    saved: Math.max(0, (now.savedMs - then.savedMs) / elapsed),
  };
}

function addMoment({ time, stats, methods }) {
  const all = new Map([['', stats], ...methods.map(({ name, stats: own }) => [name, own])]);
  if (before && time > before.time) {
    const lines = charts.rate.names.map((name) =>
      pointsOf(all.get(name), before.all.get(name), time - before.time),
    );
    for (const [kind, chart] of Object.entries(charts))
      chart.add(
        time,
        lines.map((line) => line[kind] ?? null),
      );
  }
  before = { time, all };
}

function showCharts(figures) {
  charts ??= {
    rate: new Chart(byId('chart-rate')),
    calls: new Chart(byId('chart-calls')),
    loads: new Chart(byId('chart-loads')),
    saved: new Chart(byId('chart-saved')),
  };
  const names = ['', ...linesOf(charts.rate.names.slice(1), figures.methods)];
  for (const chart of Object.values(charts)) chart.setNames(names);
  for (const moment of past) addMoment(moment);
  past = [];
  addMoment(figures);
}

/** What a file can show without a past: a bar for each method. */
function showStillCharts({ methods }) {
  const shown = methods.slice(0, 12);
  const draw = (id, caption, of) => {
    const place = byId(id);
    place.parentElement.querySelector('figcaption').textContent = caption;
    const most = Math.max(1, ...shown.map(of));
    place.replaceChildren(
      ...shown.map((each) => {
        const row = element('div', undefined, { className: 'bar' });
        const meter = element('meter', undefined, { min: 0, max: most, value: of(each) });
        meter.setAttribute('aria-label', each.name);
        row.append(element('span', each.name), meter);
        return row;
      }),
    );
  };
  draw('chart-rate', 'Hit rate by method', ({ stats }) => stats.hitRate);
  draw('chart-calls', 'Time saved by method', ({ stats }) => stats.savedMs);
  draw('chart-loads', 'Mean time of a load by method', ({ stats }) => stats.loadTime.mean);
  draw('chart-saved', 'Entries in memory by method', ({ stats }) => stats.entries);
}
