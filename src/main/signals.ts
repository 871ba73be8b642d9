/** SIGINT and SIGTERM of a whole run: caught without a gap, whatever is done about them at the moment. */

export class Signals {
  #handler: (() => void) | null = null;
  #pending = false;
  readonly #listener = (): void => {
    if (this.#handler) this.#handler();
    else this.#pending = true;
  };

  constructor() {
    process.on('SIGINT', this.#listener).on('SIGTERM', this.#listener);
  }

  /** From now on a signal does this, and nothing else; at once if one came while they were held. */
  handle(handler: () => void): void {
    this.#handler = handler;
    if (this.#pending) handler();
    this.#pending = false;
  }

  /** Signals wait for the next handler. */
  hold(): void {
    this.#handler = null;
  }

  /** Signals end the process again. */
  release(): void {
    process.off('SIGINT', this.#listener).off('SIGTERM', this.#listener);
  }
}
