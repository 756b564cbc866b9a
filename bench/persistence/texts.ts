/** Texts as tools return them: words that recur, sentences that don't, and no two entries alike. */

const syllables =
  'ba co da el fi gor han is jun kel lo mar ne os pra qui ro sta tu un ver wo xi yon zem'.split(' ');

/** mulberry32: a generator that costs nothing to seed, because every entry has its own. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** 30,000 words; the first are used far more often than the last, as in any language. */
function makeWords(random: () => number): string[] {
  return Array.from({ length: 30_000 }, () => {
    const length = 1 + Math.floor(random() * 4);
    return Array.from({ length }, () => syllables[Math.floor(random() * syllables.length)]).join('');
  });
}

const words = makeWords(seeded(7));

/** The text of entry `number`, of `bytes` bytes: always the same, and unlike any other. */
export function textOf(number: number, bytes: number): string {
  const random = seeded(number + 1);
  let text = `${number}:`;
  while (text.length < bytes) text += ` ${words[Math.floor(random() ** 3 * words.length)]}`;
  return text.slice(0, bytes);
}
