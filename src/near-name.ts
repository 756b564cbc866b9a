/** Names that are nearly alike: a slip of the keys, another case, other punctuation. */

/** The name most like `name`, if one is so much like it that it was likely meant. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const wanted = bareName(name);
  let nearest: string | undefined;
  // A third of the letters may be wrong, 3 at most.
  let least = Math.min(3, Math.max(1, Math.floor(wanted.length / 3))) + 1;
  for (const each of known) {
    const other = bareName(each);
    const distance = editDistance(wanted, other);
    if (distance < least) [nearest, least] = [each, distance];
  }
  if (nearest !== undefined) return nearest;
  // Else one begins as the other does: the longest such.
  for (const each of known) {
    const [short, long] = [wanted, bareName(each)].sort((a, b) => a.length - b.length) as [string, string];
    const isBegun = short.length >= 4 && long.startsWith(short);
    if (isBegun && each.length > (nearest ?? '').length) nearest = each;
  }
  return nearest;
}

/** The letters and digits of a name in lower case. */
export function bareName(name: string): string {
  return name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '');
}

/**
 * How many letters were added, left out, changed, or swapped with their neighbour (optimal string alignment: Damerau,
 * "A technique for computer detection and correction of spelling errors", CACM 7(3), 1964).
 */
export function editDistance(one: string, other: string): number {
  let [before, row]: [number[], number[]] = [[], Array.from({ length: other.length + 1 }, (_, at) => at)];
  for (let i = 1; i <= one.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= other.length; j += 1) {
      const change = (row[j - 1] as number) + (one[i - 1] === other[j - 1] ? 0 : 1);
      let least = Math.min(change, (row[j] as number) + 1, (next[j - 1] as number) + 1);
      const isSwap = i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1];
      if (isSwap) least = Math.min(least, (before[j - 2] as number) + 1);
      next.push(least);
    }
    [before, row] = [row, next];
  }
  return row[other.length] as number;
}
