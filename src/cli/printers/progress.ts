import type { Output } from "../terminal.js";

/** Short work needs no news. */
const QUIET_MS = 500;
const EVERY_MS = 100;

/** How far a long piece of work has come, in one line that goes away again; only on a terminal. */
export class Progress {
  readonly #output: Output;
  readonly #total: number;
  #nextAt = performance.now() + QUIET_MS;
  #done = 0;
  #isShown = false;

  constructor(output: Output, total: number) {
    this.#output = output;
    this.#total = total;
  }

  /** One more is done. */
  step(): void {
    this.#done++;
    if (!this.#output.isTerminal || performance.now() < this.#nextAt || this.#done === this.#total) return;
    this.#nextAt = performance.now() + EVERY_MS;
    this.#isShown = true;
    void this.#output.write(`\r${this.#done} of ${this.#total}`);
  }

  /** Before anything else is printed. */
  clear(): void {
    if (this.#isShown) void this.#output.write("\r\x1b[K");
    this.#isShown = false;
  }
}
