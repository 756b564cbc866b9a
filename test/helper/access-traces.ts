/** Lookups as numbered keys, always the same for one seed. */

/** Numbers in [0, 1): mulberry32. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The same keys over and over. */
export function loop(keys: number, rounds: number): string[] {
  return Array.from({ length: keys * rounds }, (_, at) => `loop${at % keys}`);
}

/** Each task's calls come in each of its trials, one after the other, and never again; some tasks at once. */
export function rollouts({
  seed = 1,
  atOnce = 8,
  tasks = 100,
  trials = 4,
  calls = 20,
  repeating = 0.65,
} = {}): string[] {
  const random = seeded(seed);
  const lookups: string[] = [];
  const live: string[][] = [];
  for (let next = 0; next < tasks || live.length > 0; ) {
    while (live.length < atOnce && next < tasks) {
      const task = next++;
      const repeats = Array.from(
        { length: Math.round(calls * (0.5 + random())) },
        () => random() < repeating,
      );
      live.push(
        Array.from({ length: trials }, (_, trial) =>
          repeats.map((repeat, call) => `task${task} ${repeat ? '' : trial} ${call}`),
        ).flat(),
      );
    }
    const at = Math.floor(random() * live.length);
    lookups.push(live[at]!.shift()!);
    if (live[at]!.length === 0) live.splice(at, 1);
  }
  return lookups;
}

/** Keys of which the first are by far the most popular. */
export function skewed({ seed = 1, keys = 5000, lookups = 30_000 } = {}): string[] {
  const random = seeded(seed);
  return Array.from({ length: lookups }, () => `key${Math.floor(keys * random() ** 4)}`);
}
