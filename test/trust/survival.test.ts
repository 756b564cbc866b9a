import { describe, expect, it } from 'vitest';
import { Survival } from '../../src/trust/survival.js';

/** The share that is unchanged at an age. */
function at(survival: Survival, ageMs: number): number | undefined {
  return survival.curve().find((point) => Math.abs(point.ageMs / ageMs - 1) < 0.01)?.unchanged;
}

// Ages at the ends of cells, so that a change is known to the cell.
const edge = (number: number) => 100 * 2 ** (number / 4);
const exact = (number: number): [number, number] => [edge(number - 1), edge(number)];

describe('the survival curve', () => {
  it('is that of Kaplan and Meier where changes are known exactly and others are censored', () => {
    // Their formula by hand: after 10: 1 - 1/8; after 20, with one censored at 15: times 1 - 2/6; after 30: times 1 - 1/3.
    const survival = new Survival();
    survival.add(...exact(10));
    survival.add(edge(15));
    survival.add(...exact(20));
    survival.add(...exact(20));
    survival.add(edge(25));
    survival.add(...exact(30));
    survival.add(edge(35));
    survival.add(edge(40));
    const product = [7 / 8, (7 / 8) * (4 / 6), (7 / 8) * (4 / 6) * (2 / 3)];
    for (const [number, share] of [
      [9, 1],
      [10, product[0]],
      [19, product[0]],
      [20, product[1]],
      [30, product[2]],
      [40, product[2]],
    ] as const)
      expect(at(survival, edge(number)), `at cell ${number}`).toBeCloseTo(share!, 4);
  });

  it('is the share of those that had changed where all are looked at once, at one age', () => {
    const survival = new Survival();
    for (let index = 0; index < 70; index += 1) survival.add(3_276_800);
    for (let index = 0; index < 30; index += 1) survival.add(0, 3_276_800);
    expect(at(survival, 3_276_800)).toBeCloseTo(0.7, 6);
    // Nothing is known of when: changes are as likely at any time.
    expect(at(survival, 1_638_400)).toBeCloseTo(0.85, 3);
    expect(survival.curve().at(-1)).toMatchObject({ known: 100 });
    expect(survival.curve()[40]).toMatchObject({ known: 70 });
  });

  it('finds what changes were drawn from, looked at now and then', () => {
    let state = 7;
    const random = () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state / 2 ** 32;
    };
    const survival = new Survival();
    const hour = 3_600_000;
    for (let index = 0; index < 2000; index += 1) {
      // It lasts 8 hours on average, and is looked at each 1 to 3 hours, 12 times at most.
      const life = -8 * hour * Math.log(1 - random());
      let [seen, age] = [0, 0];
      for (let look = 0; look < 12 && age <= life; look += 1) {
        seen = age;
        age += (1 + 2 * random()) * hour;
      }
      if (age > life) survival.add(seen, age);
      else survival.add(seen);
    }
    for (const { ageMs, unchanged, known } of survival.curve()) {
      if (ageMs < 3 * hour || ageMs > 16 * hour) continue;
      expect(
        Math.abs(unchanged - Math.exp(-ageMs / (8 * hour))),
        `after ${ageMs / hour} h of ${known}`,
      ).toBeLessThan(0.05);
    }
  });

  it('is the same for what was seen in steps, and is not worked out again until more is seen', () => {
    const [atOnce, inSteps] = [new Survival(), new Survival()];
    for (let index = 1; index <= 60; index += 1) {
      const [seen, later] = [edge(index), edge(index + 3)];
      inSteps.add(edge(1));
      inSteps.extend(edge(1), seen);
      atOnce.add(seen, index % 3 === 0 ? later : undefined);
      if (index % 3 === 0) inSteps.extend(seen, seen, later);
    }
    const before = inSteps.curve();
    for (const [at, point] of atOnce.curve().entries()) {
      expect(before[at]!.unchanged).toBeCloseTo(point.unchanged, 9);
      expect(before[at]!.known).toBe(point.known);
    }
    expect([inSteps.count, before.length]).toEqual([60, atOnce.curve().length]);
    inSteps.extend(edge(1), edge(1) * 1.05);
    expect(inSteps.curve()).toBe(before);
    inSteps.add(edge(9));
    expect(inSteps.curve()).not.toBe(before);
  });

  it('tells of each age what is known by it', () => {
    const survival = new Survival();
    survival.add(edge(8), edge(16));
    survival.add(edge(12));
    survival.add(edge(20));
    const known = [0, 8, 9, 12, 13, 16, 20].map((number) => survival.curve()[number]!.known);
    expect(known).toEqual([3, 3, 2, 2, 1, 2, 2]);
  });

  it('says nothing of ages that were not seen', () => {
    const survival = new Survival();
    expect(survival.curve()).toEqual([]);
    survival.add(1000);
    expect(survival.curve().at(-1)!.ageMs).toBeLessThanOrEqual(1000);
    expect(survival.curve().every(({ unchanged }) => unchanged > 0.999)).toBe(true);
    survival.add(10 * 365 * 86_400_000);
    expect(survival.count).toBe(2);
  });
});
