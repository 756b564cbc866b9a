/** What is waited for before something can go on. */

/** A wait, and its end. */
export interface Deferred {
  readonly over: Promise<void>;
  readonly isOver: boolean;
  end(): void;
}

/** Begins one. */
export function deferred(): Deferred {
  let resolve = () => {};
  const over = new Promise<void>((end) => {
    resolve = end;
  });
  const made = {
    over,
    isOver: false,
    end: () => {
      made.isOver = true;
      resolve();
    },
  };
  return made;
}
