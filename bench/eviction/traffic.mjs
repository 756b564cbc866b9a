/** Generated lookups of agents, as keys. Always the same for one seed. */

/** Numbers in [0, 1): mulberry32. */
export function seeded(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Tasks, some at once, each with four trials that make the same calls, two thirds of which repeat in each trial and never
 * again. Trials of a task come one after the other, or all at once.
 */
export function rollouts({ seed, atOnce, calls, tasks, areTrialsAtOnce }) {
  const [random, trials, repeating] = [seeded(seed), 4, 0.65];
  const [lookups, live] = [[], []];
  for (let next = 0; next < tasks || live.length > 0; ) {
    while (live.length < atOnce * (areTrialsAtOnce ? trials : 1) && next < tasks) {
      const task = next++;
      const length = Math.round(calls * (0.5 + random()));
      const repeats = Array.from({ length }, () => random() < repeating);
      const lists = Array.from({ length: trials }, (_, trial) =>
        repeats.map((repeat, call) => `task ${task} ${repeat ? '' : trial} ${call}`),
      );
      live.push(...(areTrialsAtOnce ? lists : [lists.flat()]));
    }
    const at = Math.floor(random() * live.length);
    lookups.push(live[at].shift());
    if (live[at].length === 0) live.splice(at, 1);
  }
  return lookups;
}

/** Popular keys by Zipf's law, then loops over 700 others that change, in turns. */
export function loopsBesidePopular({ seed, turns }) {
  const random = seeded(seed);
  const weights = Array.from({ length: 1000 }, (_, rank) => 1 / (rank + 1) ** 0.9);
  const whole = weights.reduce((sum, weight) => sum + weight);
  const popular = () => {
    let left = random() * whole;
    let rank = 0;
    for (; left > weights[rank] && rank < weights.length - 1; rank += 1) left -= weights[rank];
    return `popular ${rank}`;
  };
  return Array.from({ length: turns }, (_, turn) => [
    ...Array.from({ length: 3000 }, popular),
    ...Array.from({ length: 2800 }, (_, at) => `loop ${turn} ${at % 700}`).flatMap((key, at) =>
      at % 3 === 0 ? [key, popular()] : [key],
    ),
  ]).flat();
}
