/**
 * Says on stderr what is being waited for, once that takes longer than a second: on a terminal in one line that is
 * rewritten, elsewhere a line for each change, at most one a second, and one in ten seconds of what has been said before,
 * such as with other figures, or when things change to and fro.
 */

/** Before this nothing is shown, in milliseconds. */
const QUIET_MS = 1000;
/** Shortest time between two changes on display, in milliseconds. */
const TERMINAL_GAP_MS = 100;
const LINE_GAP_MS = 1000;
const SAID_GAP_MS = 10_000;

interface Display {
  isTTY?: boolean | undefined;
  columns?: number | undefined;
  write(text: string): unknown;
}

export class Progress {
  readonly #display: Display;
  readonly #now: () => number;
  #shownAt: number;
  #timer: NodeJS.Timeout | null = null;
  #wanted = '';
  #shown = '';
  /** What has been said, without its figures. */
  readonly #said = new Set<string>();

  /** @param now milliseconds on a clock that never goes back */
  constructor(display: Display, now: () => number = () => performance.now()) {
    this.#display = display;
    this.#now = now;
    this.#shownAt = now();
  }

  /** What is going on now. */
  phase(text: string): void {
    this.#wanted = text;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    if (text === this.#shown) return;
    this.#timer = setTimeout(() => this.#show(), Math.max(0, this.#shownAt + this.#gapMs() - this.#now())).unref();
  }

  /** How long what is shown must stay before the wanted text may follow. */
  #gapMs(): number {
    if (this.#shown === '') return QUIET_MS;
    if (this.#display.isTTY) return TERMINAL_GAP_MS;
    return this.#said.has(wordsOf(this.#wanted)) ? SAID_GAP_MS : LINE_GAP_MS;
  }

  /** Nothing more to wait for: leaves an empty line on a terminal. */
  end(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#display.isTTY && this.#shown) this.#display.write('\r\u001b[2K');
    this.#shown = '';
  }

  #show(): void {
    this.#timer = null;
    this.#shown = this.#wanted;
    this.#said.add(wordsOf(this.#wanted));
    this.#shownAt = this.#now();
    const text = this.#wanted;
    this.#display.write(
      this.#display.isTTY ? `\r\u001b[2K${text.slice(0, (this.#display.columns || 80) - 1)}` : `${text}\n`,
    );
  }
}

const wordsOf = (text: string): string => text.replaceAll(/\d+/g, '');
