/**
 * How many sessions a user has. A place is taken in the user's own shard, atomically, before the session is claimed in its:
 * a crash in between, or between releasing the session and its place, leaves a place without a session. Nobody needs to know of
 * it until the user has no place left, or is counted: then each place is compared with its session.
 */

import type { SessionCommands } from './session-commands.js';
import { SessionLimitError } from './session-errors.js';

/** A place that was taken. */
export interface UserPlace {
  readonly user: string;
  readonly id: string;
  /** What stands there. */
  readonly text: string;
  /** What stood there before, `''` for nothing. */
  readonly former: string;
  /** Until when, by the server's clock in microseconds, it is kept for a session that is yet to be claimed. */
  readonly keptUntil: number;
}

export class UserPlaces {
  readonly #commands: SessionCommands;
  readonly #graceMicros: number;
  readonly #token: () => string;

  /** @param graceMs how long a place is kept for a session that is yet to be claimed */
  constructor(commands: SessionCommands, graceMs: number, token: () => string) {
    this.#commands = commands;
    this.#graceMicros = graceMs * 1_000;
    this.#token = token;
  }

  /** @throws SessionLimitError where there is none left */
  async take(user: string, id: string, limit: number | undefined): Promise<UserPlace> {
    for (let isSecond = false; ; isSecond = true) {
      const token = this.#token();
      const { outcome, time, former } = await this.#commands.reserve(user, id, limit, token);
      if (outcome === 'reserved') {
        // The claim that follows is no good later than half of the time for which the place is kept.
        const keptUntil = time - this.#commands.timeAtUser(user, 0) + this.#graceMicros / 2;
        return { user, id, text: `${time} ${token}`, former, keptUntil };
      }
      const freed = isSecond ? 0 : await this.#vacateUnused(user, time);
      if (freed > 0) continue;
      throw new SessionLimitError(
        limit!,
        `The user \`${user}\` has as many sessions as there may be (${limit}): release one, or claim with a higher \`limit\``,
      );
    }
  }

  /** Gives a place back that nobody has taken anew: to whose it was before, if to anybody. */
  async giveBack({ user, id, text, former }: UserPlace): Promise<void> {
    if (former === '') await this.#commands.vacate(user, [[id, text]]);
    else await this.#commands.restore(user, id, { text, former });
  }

  /** Gives a place back, unless the session is the user's: of a claim that nobody knows the end of. */
  async giveBackUnheld({ user, id, text }: UserPlace): Promise<void> {
    const [isHeld] = await this.#areHeld(user, [[id, text]]);
    if (!isHeld) await this.#commands.vacate(user, [[id, text]]);
  }

  /**
   * Gives back the place of a session that was released.
   * @param known what the place said, where that is known: else it may be somebody's who is about to claim the session
   */
  async giveBackOf(
    user: string,
    id: string,
    { known, now }: { known: string | undefined; now: number },
  ): Promise<void> {
    // Somebody who wanted the session may have overwritten it.
    const isVacated = known !== undefined && (await this.#commands.vacate(user, [[id, known]])) > 0;
    if (!isVacated) await this.giveBackUnused(user, now);
  }

  /** Gives back whatever places the user has for sessions that are not held. @param now by the clock by which nodes know the time */
  async giveBackUnused(user: string, now: number): Promise<void> {
    await this.#vacateUnused(user, this.#commands.timeAtUser(user, now));
  }

  /** The sessions that the user has now. */
  async sessionsOf(user: string): Promise<string[]> {
    const places = await this.#commands.places(user);
    const held = await this.#areHeld(user, places);
    return places.flatMap(([id], at) => (held[at] ? [id] : []));
  }

  /** How many places were given back whose session is not held. @param now by the clock of the server that has them */
  async #vacateUnused(user: string, now: number): Promise<number> {
    const places = await this.#commands.places(user);
    const held = await this.#areHeld(user, places);
    // One from the future was taken before the clock was set back.
    const isStale = (place: string) => Math.abs(now - Number.parseInt(place, 10)) > this.#graceMicros;
    const unused = places.filter(([, place], at) => !held[at] && isStale(place));
    return unused.length === 0 ? 0 : await this.#commands.vacate(user, unused);
  }

  async #areHeld(
    user: string,
    places: readonly (readonly [id: string, place: string])[],
  ): Promise<boolean[]> {
    const found = await this.#commands.fields(
      places.map(([id]) => id),
      'i',
      'u',
    );
    return found.map(([incarnation, owner]) => incarnation !== null && String(owner) === user);
  }
}
