import { createHash } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import { BloomFilter } from '../../src/guard/bloom-filter.js';
import { seededRandom } from './seeded-random.js';

const md5 = (text: string) => createHash('md5').update(text).digest('hex');
const keysOf = (name: string, count: number) => Array.from({ length: count }, (_, i) => md5(`${name}:${i}`));

/** As evenly spread as md5 digests, and much sooner made. */
function randomKeys(count: number, seed: number): string[] {
  const random = seededRandom(seed);
  const words = Uint32Array.from({ length: count * 4 }, () => random() * 2 ** 32);
  const bytes = Buffer.from(words.buffer);
  return Array.from({ length: count }, (_, i) => bytes.toString('hex', i * 16, i * 16 + 16));
}

const members = keysOf('member', 20_000);
const strangers = keysOf('stranger', 20_000);

function filterOf(
  keys: Iterable<string>,
  options: Partial<ConstructorParameters<typeof BloomFilter>[0]> = {},
) {
  const filter = new BloomFilter({ capacity: members.length, ...options });
  for (const key of keys) filter.add(key);
  return filter;
}

const shareOf = (keys: string[], filter: BloomFilter) =>
  keys.filter((key) => filter.mayHave(key)).length / keys.length;

describe('BloomFilter', () => {
  it('forgets none of a million keys, and takes few strangers for members: at most 1.2 times the asked', () => {
    const million = randomKeys(1_000_000, 1);
    const filter = new BloomFilter({ capacity: million.length, falsePositiveRate: 0.01 });
    for (const key of million) filter.add(key);
    let forgotten = 0;
    for (const key of million) if (!filter.mayHave(key)) forgotten++;
    expect(forgotten).toBe(0);
    const share = shareOf(randomKeys(300_000, 2), filter);
    expect(share).toBeLessThan(0.012);
    expect(share).toBeGreaterThan(0.008);
    expect(Math.abs(filter.falsePositiveRate - share)).toBeLessThan(0.001);
    expect(filter.size).toBeGreaterThan(0.99 * million.length);
    expect(filter.size).toBeLessThanOrEqual(million.length);
  });

  it.each([0.5, 0.2, 0.05, 0.001])('keeps within 1.2 times the asked rate of %d', (falsePositiveRate) => {
    const filter = filterOf(members, { falsePositiveRate });
    const sample = falsePositiveRate < 0.01 ? randomKeys(200_000, 3) : strangers;
    expect(shareOf(sample, filter)).toBeLessThan(falsePositiveRate * 1.2);
    expect(shareOf(members, filter)).toBe(1);
  });

  it('keeps calls for what does not exist from the source; without it all go there', () => {
    const filter = filterOf(members);
    const callsAtSource = strangers.filter((key) => filter.mayHave(key)).length;
    expect(callsAtSource).toBeLessThan(strangers.length * 0.012);
  });

  it('holds few keys as well as many', () => {
    const filter = filterOf(members.slice(0, 1), { capacity: 1, falsePositiveRate: 0.5 });
    expect(filter.mayHave(members[0]!)).toBe(true);
    expect(shareOf(strangers, filter)).toBeLessThan(0.6);
  });

  it('has nothing before anything was added, and counts a key once', () => {
    const filter = filterOf([]);
    expect(shareOf(members, filter)).toBe(0);
    filter.add(members[0]!);
    filter.add(members[0]!);
    expect(filter.size).toBe(1);
  });

  it('warns once when there are more keys than it was made for', () => {
    const onOverfull = vi.fn();
    const filter = filterOf(members.slice(0, 1000), {
      capacity: 1000,
      falsePositiveRate: 0.0001,
      onOverfull,
    });
    expect(onOverfull).not.toHaveBeenCalled();
    for (const key of members.slice(1000, 2000)) filter.add(key);
    expect(onOverfull).toHaveBeenCalledExactlyOnceWith(filter);
    expect(filter.falsePositiveRate).toBeGreaterThan(0.0001);
  });

  it('warns the process unless told otherwise', () => {
    const emit = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    try {
      filterOf(members.slice(0, 20), { capacity: 10, falsePositiveRate: 0.0001 });
      const text = expect.stringMatching(/made for 10 keys holds 11.*rebuild it with a larger/);
      expect(emit).toHaveBeenCalledExactlyOnceWith(text, { type: 'ToolstashWarning' });
    } finally {
      emit.mockRestore();
    }
  });

  it.each(['', 'abc', members[0]!.toUpperCase(), `${members[0]}0`, `${members[0]}\n`, 'g'.repeat(32)])(
    'refuses %o, which is no key, rather than to forget it',
    (key) => {
      const filter = filterOf([]);
      expect(() => filter.add(key)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' }));
      expect(() => filter.mayHave(key)).toThrow(/32 lower-case hex digits/);
    },
  );

  it.each([
    [{ capacity: 0 }, /`capacity` to be a positive integer/],
    [{ capacity: 1.5 }, /`capacity` to be a positive integer/],
    [{ capacity: 1e9 }, /`capacity` to be at most 448\d{6} .*512 MiB/],
    [{ falsePositiveRate: 0 }, /`falsePositiveRate`/],
    [{ falsePositiveRate: 0.6 }, /`falsePositiveRate`/],
    [{ falsePositiveRate: Number.NaN }, /`falsePositiveRate`/],
  ])('refuses %o', (options, message) => {
    expect(() => filterOf([], options)).toThrow(message);
  });
});

describe('merging filters', () => {
  it('knows afterwards what either knew, and about how much that is', () => {
    const filter = filterOf(members.slice(0, 12_000));
    filter.merge(filterOf(members.slice(8000)));
    expect(shareOf(members, filter)).toBe(1);
    expect(shareOf(strangers, filter)).toBeLessThan(0.012);
    expect(Math.abs(filter.size / members.length - 1)).toBeLessThan(0.02);
  });

  it('warns when that is too much', () => {
    const onOverfull = vi.fn();
    const filter = filterOf(members.slice(0, 800), { capacity: 1000, onOverfull });
    filter.merge(filterOf(members.slice(800, 1600), { capacity: 1000 }));
    expect(onOverfull).toHaveBeenCalledOnce();
  });

  it('refuses a filter of another shape, and changes nothing then', () => {
    const filter = filterOf([]);
    expect(() => filter.merge(filterOf(members, { capacity: 30_000 }))).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' }),
    );
    expect(() => filter.merge(filterOf(members, { falsePositiveRate: 0.02 }))).toThrow();
    expect(shareOf(members, filter)).toBe(0);
  });
});

describe('rebuilding a filter', () => {
  it('forgets what is not there any more, makes room and may warn again', async () => {
    const onOverfull = vi.fn();
    const filter = filterOf(members, { capacity: 1000, onOverfull });
    await filter.rebuild(strangers, { capacity: strangers.length });
    expect(shareOf(strangers, filter)).toBe(1);
    expect(shareOf(members, filter)).toBeLessThan(0.012);
    expect(filter.capacity).toBe(strangers.length);
    for (const key of members) filter.add(key);
    expect(onOverfull).toHaveBeenCalledTimes(2);
  });

  it('answers from the old content until it is done, and loses no key that is added or merged meanwhile', async () => {
    const filter = filterOf(members.slice(0, 100));
    let goOn!: () => void;
    const pause = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const rebuilt = filter.rebuild(
      (async function* () {
        yield strangers[0]!;
        await pause;
        yield strangers[1]!;
      })(),
    );
    await new Promise(setImmediate);
    expect(shareOf(members.slice(0, 100), filter)).toBe(1);
    filter.add(members[100]!);
    filter.merge(filterOf([members[101]!]));
    goOn();
    await rebuilt;
    const expected = [strangers[0]!, strangers[1]!, members[100]!, members[101]!];
    expect(shareOf(expected, filter)).toBe(1);
    expect(shareOf(members.slice(0, 100), filter)).toBe(0);
    expect(filter.size).toBe(4);
  });

  it('keeps the old content when the keys can’t be read', async () => {
    const filter = filterOf(members);
    const failure = new Error('source failed');
    const broken = (function* () {
      yield strangers[0]!;
      throw failure;
    })();
    await expect(filter.rebuild(broken)).rejects.toBe(failure);
    expect(shareOf(members, filter)).toBe(1);
  });

  it('lets the rebuild begun last win', async () => {
    const filter = filterOf([]);
    const first = filter.rebuild(members);
    const second = filter.rebuild(strangers.slice(0, 10));
    await Promise.all([first, second]);
    expect(shareOf(strangers.slice(0, 10), filter)).toBe(1);
    expect(shareOf(members, filter)).toBe(0);
  });

  it('lets others run in between', async () => {
    const filter = filterOf([]);
    let turns = 0;
    let isDone = false;
    const count = () => {
      turns++;
      if (!isDone) setImmediate(count);
    };
    setImmediate(count);
    await filter.rebuild(members);
    isDone = true;
    expect(turns).toBeGreaterThan(2);
  });
});

describe('saving and loading a filter', () => {
  const saved = filterOf(members.slice(0, 1000), { capacity: 1000, falsePositiveRate: 0.02 }).toBytes();

  it('brings back the same filter, also from the middle of a buffer', () => {
    const buffer = new Uint8Array(saved.length + 10);
    buffer.set(saved, 3);
    const loaded = BloomFilter.fromBytes(buffer.subarray(3, 3 + saved.length));
    expect(loaded.toBytes()).toEqual(saved);
    expect(shareOf(members.slice(0, 1000), loaded)).toBe(1);
    expect(shareOf(strangers, loaded)).toBeLessThan(0.024);
    loaded.merge(filterOf([], { capacity: 1000, falsePositiveRate: 0.02 }));
  });

  it('keeps the same bytes from one release to the next', () => {
    const filter = filterOf(members.slice(0, 10), { capacity: 10 });
    expect(md5(Buffer.from(filter.toBytes()).toString('hex'))).toBe('7ee1cfe92db57228346cd2c13c368251');
  });

  it('warns of an overfull one once it is loaded', () => {
    const onOverfull = vi.fn();
    const overfull = filterOf(members.slice(0, 100), { capacity: 10, falsePositiveRate: 1e-9 }).toBytes();
    const filter = BloomFilter.fromBytes(overfull, { onOverfull });
    expect(onOverfull).toHaveBeenCalledExactlyOnceWith(filter);
  });

  it('refuses every truncation and every flipped bit', () => {
    const small = filterOf(members.slice(0, 10), { capacity: 10 }).toBytes();
    const refused = expect.objectContaining({ code: 'ERR_UNREADABLE_VALUE' });
    for (let length = 0; length < small.length; length++) {
      expect(() => BloomFilter.fromBytes(small.subarray(0, length))).toThrow(refused);
    }
    for (let bit = 0; bit < small.length * 8; bit++) {
      const flipped = small.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => BloomFilter.fromBytes(flipped)).toThrow(refused);
    }
  });

  it('refuses a newer version, and a header that contradicts its body, by name', () => {
    const newer = saved.slice();
    newer[4] = 2;
    expect(() => BloomFilter.fromBytes(newer)).toThrow(/unknown version 2/);
    const forged = saved.slice();
    new DataView(forged.buffer).setFloat64(32, 64, true);
    const checksum = createHash('sha256').update(forged.subarray(0, 40)).update(forged.subarray(72)).digest();
    forged.set(checksum, 40);
    expect(() => BloomFilter.fromBytes(forged)).toThrow(/contradicts itself/);
  });
});
