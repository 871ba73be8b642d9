/** One piece of work at a time for each machine: two forks there at once could take more memory than is spared for one. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  async take<T>(machine: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(machine) ?? Promise.resolve();
    const turn = before.then(work);
    const over = turn.catch(() => {});
    this.#last.set(machine, over);
    void over.then(() => this.#last.get(machine) === over && this.#last.delete(machine));
    return turn;
  }
}
