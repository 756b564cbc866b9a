/** What a machine knows of its Redis' clock: from answers that take their time, by clocks that drift and are set. */

import { expect, it } from 'vitest';
import { ServerClock } from '../../src/remote/server-clock.js';

/** By the machine's clock and by what elapses, it is 1,000 s; the server's clock is 5 s ahead. */
const began = 1_000_000;
const server = (elapsed: number, ahead = 5_000) => (elapsed + ahead) * 1_000;

/** A clock of a server, and one by which an answer arrives after so many ms that says what time it is there when it is asked. */
function measuring() {
  let elapsed = began;
  const clock = new ServerClock({
    now: () => elapsed,
    elapsed: () => elapsed,
    schedule: () => ({ cancel: () => undefined }),
  });
  const answer = (takes: number, ahead = 5_000, on = 'way back') => {
    const askedAt = elapsed;
    elapsed += takes;
    return clock.hear({ time: server(on === 'way back' ? askedAt : elapsed, ahead), askedAt });
  };
  const pass = (ms: number) => {
    elapsed += ms;
  };
  const truth = (ahead = 5_000) => server(elapsed, ahead);
  return { clock, answer, pass, truth };
}

it.each(['way back', 'way there'])('is no further off than it says, all delay on the %s', (on) => {
  const { clock, answer, truth } = measuring();
  for (const takes of [500, 20, 0, 300, 2, 80]) {
    answer(takes, 5_000, on);
    const { ahead, uncertainty } = clock.offset();
    expect(Math.abs(ahead + 5_000_000)).toBeLessThanOrEqual(uncertainty);
    expect(clock.latest()).toBeGreaterThanOrEqual(truth());
  }
});

it('keeps what a fast answer has told when a slow one comes', () => {
  const { clock, answer } = measuring();
  answer(2);
  answer(1_000);
  expect(clock.offset()).toEqual({ ahead: -4_999_000, uncertainty: 3_000 });
  answer(0);
  expect(clock.offset()).toEqual({ ahead: -5_000_000, uncertainty: 1_000 });
});

it('follows a clock that drifts, however far, and takes it for none that was set', () => {
  for (const drift of [-0.5, 0.5]) {
    const { clock, answer, pass, truth } = measuring();
    let ahead = 5_000;
    for (let beat = 0; beat < 1_000; beat += 1) {
      expect(answer(beat % 7, ahead)).toBe(false);
      const { uncertainty, ...offset } = clock.offset();
      expect(Math.abs(offset.ahead + ahead * 1_000)).toBeLessThanOrEqual(uncertainty);
      pass(1_000);
      ahead += drift;
      expect(clock.latest()).toBeGreaterThanOrEqual(truth(ahead));
      expect(clock.latest() - truth(ahead)).toBeLessThan(15_000);
    }
  }
});

it('goes by a clock that was set at once, and tells when it was set back', () => {
  const { clock, answer, truth } = measuring();
  expect(answer(2)).toBe(false);
  expect(answer(2, 65_000)).toBe(false);
  expect(clock.latest()).toBeGreaterThanOrEqual(truth(65_000));
  expect(answer(2, 64_900)).toBe(true);
  expect(Math.abs(clock.offset().ahead + 64_900_000)).toBeLessThanOrEqual(clock.offset().uncertainty);
  expect(answer(2, 64_900)).toBe(false);
});
