/** What a step takes: time, and time of all the processors, which other processes hardly change. */

export class Spent {
  #ms = 0;
  #cpuMs = 0;
  #since: { at: number; cpu: NodeJS.CpuUsage } | undefined;

  constructor() {
    this.goOn();
  }

  /** From here on nothing counts. */
  pause(): void {
    if (this.#since === undefined) return;
    const { at, cpu } = this.#since;
    const { user, system } = process.cpuUsage(cpu);
    this.#ms += performance.now() - at;
    this.#cpuMs += (user + system) / 1_000;
    this.#since = undefined;
  }

  goOn(): void {
    this.#since = { at: performance.now(), cpu: process.cpuUsage() };
  }

  result(): { ms: number; cpuMs: number } {
    this.pause();
    return { ms: this.#ms, cpuMs: this.#cpuMs };
  }
}
