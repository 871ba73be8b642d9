/** Waits for what others bring about and tell of. */
export class Wakeup {
  #waiting: (() => void)[] = [];

  /** Something has changed. */
  tell(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  /** @returns whether it holds, within that time */
  async until(holds: () => boolean, ms: number): Promise<boolean> {
    const deadline = performance.now() + ms;
    const timer = setTimeout(() => this.tell(), ms + 1);
    while (!holds() && performance.now() < deadline) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    clearTimeout(timer);
    return holds();
  }
}
