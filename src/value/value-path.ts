/** Where in a value a walk is, and how errors say it: `value.rows[0].close`. */

/** A step that is neither property nor index, already in words: `<key 3>`. */
export class Step {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** One step into a value: a property, an index, or something else in words. */
export type PathStep = string | number | Step;

const identifier = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;

/** Longer paths have their middle left out. */
const maxSteps = 40;

export function formatPath(steps: readonly PathStep[]): string {
  const shown =
    steps.length <= maxSteps
      ? steps
      : [...steps.slice(0, maxSteps / 2), new Step('…'), ...steps.slice(-maxSteps / 2)];
  return `value${shown.map(formatStep).join('')}`;
}

function formatStep(step: PathStep): string {
  if (step instanceof Step) return step.text;
  if (typeof step === 'number') return `[${step}]`;
  const key = step.length > 100 ? `${step.slice(0, 100)}…` : step;
  return identifier.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}
