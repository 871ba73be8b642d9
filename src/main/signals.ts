/** SIGINT and SIGTERM of a whole run: caught without a gap, whatever is done about them at the moment. */

export class Signals {
  #handler = (): void => {};
  readonly #listener = (): void => this.#handler();

  constructor() {
    process.on('SIGINT', this.#listener).on('SIGTERM', this.#listener);
  }

  /** From now on a signal does this, and nothing else. */
  handle(handler: () => void): void {
    this.#handler = handler;
  }

  /** Signals end the process again. */
  release(): void {
    process.off('SIGINT', this.#listener).off('SIGTERM', this.#listener);
  }
}
