/** Room on the stack: what begins must also be able to end, so nothing begins where that could fail half-way. */

/**
 * Words of stack that a load takes at most until it waits, with as much again to clean up after an error: some 150 frames
 * of functions that do something.
 */
const toLoad: readonly number[] = new Array<number>(2048).fill(0);

/** What it takes to wait for a load that others have begun. */
const toJoin = toLoad.slice(0, 256);

/**
 * Throws here, before anything was entered, where a load would overflow the stack between entering a map, a queue or a
 * permit and leaving it.
 *
 * @throws RangeError near the end of the stack
 */
export function needStackRoom(): void {
  // V8 makes sure of the room for all arguments before it lays down the first.
  Reflect.apply(takeNothing, undefined, toLoad);
}

/** The same for who only counts as one more who waits: that takes an eighth of the room, and of the time. */
export function needRoomToJoin(): void {
  Reflect.apply(takeNothing, undefined, toJoin);
}

/** A function that does nothing, whatever it is given. */
const takeNothing = Function.prototype as () => void;
