/** A trace: the tool calls that agents made, with what came back, grouped into rollouts of tasks. */

/** One recorded tool call. */
export interface ToolCall {
  /** The prompt that the rollout answers. */
  readonly task: string;
  /** One trajectory of the task. */
  readonly rollout: string;
  readonly tool: string;
  readonly args: unknown;
  /** What the tool answered; with `failed`, its error. */
  readonly result: unknown;
  /** Whether the tool answered with an error. */
  readonly failed: boolean;
  /** What the call took, in ms; `null` when it was not recorded. */
  readonly durationMs: number | null;
  /** Line in the file, from 1; in a generated trace its number. */
  readonly line: number;
}

/** Calls in the order they were made. */
export interface Trace {
  /** Where it comes from, for people. */
  readonly name: string;
  readonly calls: readonly ToolCall[];
}

/** A task with the calls of each of its rollouts, in order. */
export interface Task {
  readonly name: string;
  readonly rollouts: readonly (readonly ToolCall[])[];
}

/** The tasks of a trace in order of their first call. Rollouts may lie interleaved in it. */
export function groupByTask(calls: Iterable<ToolCall>): Task[] {
  const tasks = new Map<string, Map<string, ToolCall[]>>();
  for (const call of calls) {
    const rollouts = tasks.get(call.task) ?? new Map<string, ToolCall[]>();
    const rollout = rollouts.get(call.rollout) ?? [];
    rollout.push(call);
    rollouts.set(call.rollout, rollout);
    tasks.set(call.task, rollouts);
  }
  return Array.from(tasks, ([name, rollouts]) => ({ name, rollouts: [...rollouts.values()] }));
}

/** The calls that a task makes together in each step: the first of every rollout, then the second, … */
export function stepsOf(task: Task): ToolCall[][] {
  const steps: ToolCall[][] = [];
  for (const rollout of task.rollouts) {
    for (const [index, call] of rollout.entries()) {
      const step = steps[index];
      if (step === undefined) steps.push([call]);
      else step.push(call);
    }
  }
  return steps;
}
